#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "datasets/dataset.h"
#include "datasets/view.h"

namespace conclave {

// Views that come again, so that what teachers said of them can be stored and replayed: view k of an image, for k below
// per_image, is a function of the image's name and size and of k alone. Neither the run's seed nor per_image nor the
// image's place among the sets has a say, so other runs see the same ones, and more of them when per_image grows.
struct RepeatedViews {
  std::uint64_t per_image = 0;        // epoch e shows view e mod per_image; 0: fresh views in every epoch
  std::vector<std::uint64_t> images;  // of all sets in order: a number made of name and size
};
RepeatedViews repeated_views(const std::vector<Dataset>& datasets, int per_image);

// The order of a training's views, addressable by position: the n-th view is a function of (sizes, seed, repeated, n)
// alone, so a training goes on from any step without replaying. Each epoch is a permutation of all images of all sets,
// fixed by (seed, epoch); batches may cross the border between epochs. Cheap for positions that rise. Not thread-safe.
class Sampler {
 public:
  // sizes[d]: images in set d. `length`: positions in all. Throws Error when all sets are empty.
  // REQUIRES: repeated.images has all images, where per_image > 0.
  Sampler(const std::vector<std::size_t>& sizes, std::uint64_t seed, std::uint64_t length, RepeatedViews repeated = {});

  // The view at a position; nothing from `length` on. Its seed is never kPlainView.
  std::optional<ViewKey> at(std::uint64_t position);

  std::uint64_t images() const { return images_; }  // in one epoch

 private:
  std::vector<std::uint64_t> first_;  // position of each set's first image in the concatenation
  std::uint64_t images_ = 0;
  std::uint64_t seed_;
  std::uint64_t length_;
  RepeatedViews repeated_;
  std::optional<std::uint64_t> epoch_;  // of order_
  std::vector<std::uint32_t> order_;
};

}  // namespace conclave
