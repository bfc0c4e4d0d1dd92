#include "student/sampler.h"

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "core/random.h"

namespace conclave {
namespace {

// Separates the streams that are derived from one run seed.
constexpr std::uint64_t kOrderStream = 0x6f72646572;  // "order"
constexpr std::uint64_t kViewStream = 0x76696577;     // "view"

}  // namespace

Sampler::Sampler(const std::vector<std::size_t>& sizes, std::uint64_t seed, std::uint64_t length)
    : seed_(seed), length_(length) {
  for (const std::size_t size : sizes) {
    first_.push_back(images_);
    images_ += size;
  }
  if (images_ == 0) throw Error("there is no image to train on", "train", "check the `images` folder of each set");
  if (images_ > std::numeric_limits<std::uint32_t>::max()) throw Error("more than 2^32 images", "train");
}

std::optional<ViewKey> Sampler::at(std::uint64_t position) {
  if (position >= length_) return std::nullopt;
  const std::uint64_t epoch = position / images_;
  if (epoch_ != epoch) {
    order_ = permutation(static_cast<std::uint32_t>(images_), mix(mix(seed_, kOrderStream), epoch));
    epoch_ = epoch;
  }
  const std::uint64_t image = order_[position % images_];
  // The last set that starts at or before the image; empty sets start where the next one does and are passed over.
  const auto set = std::prev(std::upper_bound(first_.begin(), first_.end(), image));
  const std::uint64_t view_seed = mix(mix(seed_, kViewStream), position);
  return ViewKey{static_cast<std::uint32_t>(set - first_.begin()), static_cast<std::uint32_t>(image - *set),
                 view_seed == kPlainView ? 1 : view_seed};
}

}  // namespace conclave
