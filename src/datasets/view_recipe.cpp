#include "datasets/view_recipe.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "core/random.h"

namespace conclave {
namespace {

// Streams of a view's seed.
enum Stream : std::uint64_t { kBasic = 0, kFurther = 1, kMosaic = 2, kMix = 3, kColour = 4, kBlur = 5, kErase = 6 };

constexpr int kTiles = 4;
constexpr double kLeastTile = 0.3;   // of the view's width and height, where the tiles of a mosaic meet
constexpr double kMixSteps = 256;    // of the share of an image that is mixed in
constexpr double kMostOblong = 3.3;  // an erased area's longer side over its shorter one

// A C library's pow, sin or log may differ in its last bit.
double rounded(double value, double unit = 65536) {
  return std::round(value * unit) / unit;
}

double log_uniform(CounterRandom& random, double low, double high) {
  return rounded(low * std::pow(high / low, random.uniform()));
}

double fitting_scale(const ImageSize& size, const ViewOptions& options) {
  return std::min(static_cast<double>(options.width) / size.width, static_cast<double>(options.height) / size.height);
}

// The image's centre at (x, y).
Affine centred(const ImageSize& size, double scale, bool flip, double x, double y) {
  Affine affine;
  affine.a = flip ? -scale : scale;
  affine.e = scale;
  affine.c = x - affine.a * size.width / 2;
  affine.f = y - scale * size.height / 2;
  return affine;
}

Affine basic_placement(CounterRandom& random, const ImageSize& size, const ViewOptions& options) {
  const bool flip = random.chance(options.flip);
  const double zoom = options.scale_min * std::pow(options.scale_max / options.scale_min, random.uniform());
  const double scale = fitting_scale(size, options) * rounded(zoom);
  const double x = options.width / 2.0 + random.uniform(-options.shift, options.shift) * options.width;
  const double y = options.height / 2.0 + random.uniform(-options.shift, options.shift) * options.height;
  return centred(size, scale, flip, x, y);
}

// An image larger than its tile shows a random part, a smaller one lies anywhere in it.
ViewPart tile_part(CounterRandom& random, const ImageSize& size, const ViewArea& tile, const ViewOptions& options) {
  const bool flip = random.chance(options.flip);
  const double scale = fitting_scale(size, options) * log_uniform(random, options.mosaic_min, options.mosaic_max);
  const double width = size.width * scale, height = size.height * scale;
  const double left = tile.x0 + random.uniform() * (tile.x1 - tile.x0 - width);
  const double top = tile.y0 + random.uniform() * (tile.y1 - tile.y0 - height);
  return {centred(size, scale, flip, left + width / 2, top + height / 2), tile};
}

int meeting_point(CounterRandom& random, int length) {
  return static_cast<int>(std::lround(random.uniform(kLeastTile, 1 - kLeastTile) * length));
}

ViewArea erased_area(CounterRandom& random, const ViewOptions& options) {
  const double area = random.uniform(options.erase_min, options.erase_max) * options.width * options.height;
  const double aspect = log_uniform(random, 1 / kMostOblong, kMostOblong);
  const auto length = [](double value, int most) { return std::clamp(static_cast<int>(std::lround(value)), 1, most); };
  const int width = length(std::sqrt(area * aspect), options.width);
  const int height = length(std::sqrt(area / aspect), options.height);
  const int x = static_cast<int>(random.below(static_cast<std::uint32_t>(options.width - width + 1)));
  const int y = static_cast<int>(random.below(static_cast<std::uint32_t>(options.height - height + 1)));
  return {x, y, x + width, y + height};
}

// Their first numbers: what further_images needs is decided without the sizes.
bool is_mosaic(const ViewKey& key, const ViewOptions& options) {
  return key.seed != kPlainView && CounterRandom(key.seed, kMosaic).chance(options.mosaic);
}

bool is_mixed(const ViewKey& key, const ViewOptions& options) {
  return key.seed != kPlainView && CounterRandom(key.seed, kMix).chance(options.mix);
}

std::size_t number_of_images(const ViewKey& key, const ViewOptions& options) {
  return (is_mosaic(key, options) ? kTiles : 1) + (is_mixed(key, options) ? 1u : 0u);
}

void place_tiles(ViewRecipe& recipe, const ViewKey& key, std::span<const ImageSize> sizes, const ViewOptions& options) {
  CounterRandom random(key.seed, kMosaic);
  random.chance(options.mosaic);
  const int x = meeting_point(random, options.width), y = meeting_point(random, options.height);
  const ViewArea tiles[kTiles] = {
      {0, 0, x, y}, {x, 0, options.width, y}, {0, y, x, options.height}, {x, y, options.width, options.height}};
  for (std::size_t i = 0; i < kTiles; ++i) recipe.parts.push_back(tile_part(random, sizes[i], tiles[i], options));
}

}  // namespace

std::vector<std::uint32_t> further_images(const ViewKey& key, std::size_t images, const ViewOptions& options) {
  std::vector<std::uint32_t> further;
  const std::size_t count = number_of_images(key, options) - 1;
  CounterRandom random(key.seed, kFurther);
  for (std::size_t i = 0; i < count; ++i) further.push_back(random.below(static_cast<std::uint32_t>(images)));
  return further;
}

ViewRecipe view_recipe(const ViewKey& key, std::span<const ImageSize> sizes, const ViewOptions& options) {
  if (const std::size_t needed = number_of_images(key, options); sizes.size() != needed) {
    throw Error("a view of " + std::to_string(needed) + " images, of which " + std::to_string(sizes.size()) +
                " are given");
  }
  ViewRecipe recipe;
  const ViewArea whole{0, 0, options.width, options.height};
  if (key.seed == kPlainView) {
    recipe.parts.push_back(
        {centred(sizes[0], fitting_scale(sizes[0], options), false, options.width / 2.0, options.height / 2.0), whole});
    return recipe;
  }
  CounterRandom random(key.seed, kBasic);
  const Affine own = basic_placement(random, sizes[0], options);
  recipe.brightness = 1 + random.uniform(-options.brightness, options.brightness);
  recipe.contrast = 1 + random.uniform(-options.contrast, options.contrast);
  recipe.saturation = 1 + random.uniform(-options.saturation, options.saturation);
  if (is_mosaic(key, options)) {
    place_tiles(recipe, key, sizes, options);
  } else {
    recipe.parts.push_back({own, whole});
  }
  if (is_mixed(key, options)) {
    CounterRandom mix(key.seed, kMix);
    mix.chance(options.mix);
    recipe.mix = std::max(rounded(mix.uniform(options.mix_min, options.mix_max), kMixSteps), 1 / kMixSteps);
    recipe.parts.push_back({basic_placement(mix, sizes.back(), options), whole});
  }
  CounterRandom colour(key.seed, kColour);
  if (colour.chance(options.grey)) recipe.saturation = 0;
  recipe.hue = rounded(colour.uniform(-options.hue, options.hue), 4096);
  CounterRandom blur(key.seed, kBlur);
  if (blur.chance(options.blur)) recipe.blur = rounded(blur.uniform(options.blur_min, options.blur_max), 64);
  CounterRandom erase(key.seed, kErase);
  if (erase.chance(options.erase)) recipe.erased = erased_area(erase, options);
  return recipe;
}

}  // namespace conclave
