#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "datasets/view.h"

namespace conclave {

// The order of a training's views, addressable by position: the n-th view is a function of (sizes, seed, n) alone, so a
// training goes on from any step without replaying. Each epoch is a permutation of all images of all sets, fixed by
// (seed, epoch); batches may cross the border between epochs. Cheap for positions that rise. Not thread-safe.
class Sampler {
 public:
  // sizes[d]: images in set d. `length`: positions in all. Throws Error when all sets are empty.
  Sampler(const std::vector<std::size_t>& sizes, std::uint64_t seed, std::uint64_t length);

  // The view at a position; nothing from `length` on. Its seed is never kPlainView.
  std::optional<ViewKey> at(std::uint64_t position);

  std::uint64_t images() const { return images_; }  // in one epoch

 private:
  std::vector<std::uint64_t> first_;  // position of each set's first image in the concatenation
  std::uint64_t images_ = 0;
  std::uint64_t seed_;
  std::uint64_t length_;
  std::optional<std::uint64_t> epoch_;  // of order_
  std::vector<std::uint32_t> order_;
};

}  // namespace conclave
