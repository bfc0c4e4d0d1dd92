#include "student/sampler.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/hash.h"
#include "core/random.h"

namespace conclave {
namespace {

// Separates the streams that are derived from one run seed.
constexpr std::uint64_t kOrderStream = 0x6f72646572;  // "order"
constexpr std::uint64_t kViewStream = 0x76696577;     // "view"

std::uint64_t number_of(const ImageEntry& image) {
  const std::string text = std::filesystem::path(image.path).filename().string() + " " + std::to_string(image.width) +
                           "x" + std::to_string(image.height);
  return std::stoull(sha256(std::as_bytes(std::span(text))).substr(0, 16), nullptr, 16);
}

}  // namespace

RepeatedViews repeated_views(const std::vector<Dataset>& datasets, int per_image) {
  RepeatedViews repeated;
  repeated.per_image = static_cast<std::uint64_t>(per_image);
  if (per_image == 0) return repeated;
  for (const Dataset& dataset : datasets) {
    for (const ImageEntry& image : dataset.images) repeated.images.push_back(number_of(image));
  }
  return repeated;
}

Sampler::Sampler(const std::vector<std::size_t>& sizes, std::uint64_t seed, std::uint64_t length,
                 RepeatedViews repeated)
    : seed_(seed), length_(length), repeated_(std::move(repeated)) {
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
  const std::uint64_t view_seed = repeated_.per_image > 0
                                      ? mix(mix(kViewStream, repeated_.images.at(image)), epoch % repeated_.per_image)
                                      : mix(mix(seed_, kViewStream), position);
  return ViewKey{static_cast<std::uint32_t>(set - first_.begin()), static_cast<std::uint32_t>(image - *set),
                 view_seed == kPlainView ? 1 : view_seed};
}

}  // namespace conclave
