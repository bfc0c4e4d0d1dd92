#include "datasets/view.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/core/utility.hpp>
#include <opencv2/imgproc.hpp>

#include "core/error.h"
#include "core/file.h"
#include "datasets/image_header.h"
#include "datasets/image_io.h"
#include "datasets/reduce.h"
#include "datasets/view_recipe.h"

namespace conclave {
namespace {

constexpr int kGrey = 114;
constexpr double kLeastScale = 0.7;  // left for the warp after a reduced decode; less would alias

// OpenCV's own threads would compete with ours.
void keep_opencv_single_threaded() {
  [[maybe_unused]] static const bool once = (cv::setNumThreads(1), true);
}

double scale_of(const Affine& affine) {
  return std::sqrt(std::abs(affine.a * affine.e - affine.b * affine.d));
}

// The smallest power of two that leaves the warp little to shrink.
int reduction_for(double scale) {
  int reduction = 1;
  while (scale * reduction < kLeastScale && reduction < 256) reduction *= 2;
  return reduction;
}

cv::Mat read_reduced(const std::string& bytes, const std::string& where, int reduction) {
  const int decoded = std::min(reduction, 4);
  return reduce_by_area(decode_image(bytes, where, decoded), reduction / decoded);
}

std::int32_t fixed(double value) {
  return static_cast<std::int32_t>(std::lround(value * 65536));
}

// out = contrast * (brightness * saturated - 128) + 128 in 16.16 fixed point: the same bits whatever the compiler
// fuses.
void jitter(cv::Mat& rgb, const ViewRecipe& g) {
  if (g.brightness == 1 && g.contrast == 1 && g.saturation == 1) return;
  const double gain = g.contrast * g.brightness;
  const std::int32_t own = fixed(gain * g.saturation);
  const double rest = gain * (1 - g.saturation);
  const std::int32_t red = fixed(rest * 0.299), green = fixed(rest * 0.587), blue = fixed(rest * 0.114);
  const std::int32_t offset = fixed(128 * (1 - g.contrast) + 0.5);
  for (int y = 0; y < rgb.rows; ++y) {
    auto* p = rgb.ptr<std::uint8_t>(y);
    for (auto* end = p + 3 * rgb.cols; p != end; p += 3) {
      const std::int32_t base = red * p[0] + green * p[1] + blue * p[2] + offset;
      for (int c = 0; c < 3; ++c) p[c] = static_cast<std::uint8_t>(std::clamp((own * p[c] + base) >> 16, 0, 255));
    }
  }
}

// Turns colours about the grey axis (Rodrigues' formula for the axis (1,1,1)), in 16.16 fixed point.
void turn_hue(cv::Mat& rgb, double turns) {
  if (turns == 0) return;
  const double angle = 2 * std::numbers::pi * turns;
  const double even = (1 - std::cos(angle)) / 3, odd = std::sin(angle) / std::sqrt(3.0);
  const std::int32_t own = fixed(std::cos(angle) + even), next = fixed(even - odd), last = fixed(even + odd);
  for (int y = 0; y < rgb.rows; ++y) {
    auto* p = rgb.ptr<std::uint8_t>(y);
    for (auto* end = p + 3 * rgb.cols; p != end; p += 3) {
      const std::int32_t old[3] = {p[0], p[1], p[2]};
      for (int c = 0; c < 3; ++c) {
        const std::int32_t turned = own * old[c] + next * old[(c + 1) % 3] + last * old[(c + 2) % 3] + (1 << 15);
        p[c] = static_cast<std::uint8_t>(std::clamp(turned >> 16, 0, 255));
      }
    }
  }
}

// `source` is the image reduced by `reduction`; `view` has three channels.
void warp(const cv::Mat& source, int reduction, const ViewPart& part, cv::Mat& view) {
  const Affine inverse = part.image_to_view.inverse();
  const double r = reduction;
  // OpenCV counts from pixel centres, we from pixel corners: half a pixel on both sides.
  const double x = part.area.x0 + 0.5, y = part.area.y0 + 0.5;
  const double c = inverse.a * x + inverse.b * y + inverse.c, f = inverse.d * x + inverse.e * y + inverse.f;
  const cv::Matx23d matrix(inverse.a / r, inverse.b / r, c / r - 0.5, inverse.d / r, inverse.e / r, f / r - 0.5);
  cv::Mat target = view(cv::Range(part.area.y0, part.area.y1), cv::Range(part.area.x0, part.area.x1));
  cv::warpAffine(source, target, matrix, target.size(), cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_CONSTANT,
                 cv::Scalar::all(kGrey));
}

// view = (1 - share) * view + share * other, to the nearest.
void mix_in(cv::Mat& view, const cv::Mat& other, double share) {
  const int theirs = static_cast<int>(std::lround(share * 256)), ours = 256 - theirs;
  for (int y = 0; y < view.rows; ++y) {
    auto* p = view.ptr<std::uint8_t>(y);
    const auto* q = other.ptr<std::uint8_t>(y);
    for (int i = 0; i < 3 * view.cols; ++i) p[i] = static_cast<std::uint8_t>((ours * p[i] + theirs * q[i] + 128) >> 8);
  }
}

Box inside(const Box& box, const ViewArea& area) {
  const auto x = [&](float value) {
    return std::clamp(value, static_cast<float>(area.x0), static_cast<float>(area.x1));
  };
  const auto y = [&](float value) {
    return std::clamp(value, static_cast<float>(area.y0), static_cast<float>(area.y1));
  };
  return {x(box.x0), y(box.y0), x(box.x1), y(box.y1)};
}

void add_annotations(const ImageEntry& image, const ViewPart& part, const ViewArea& erased, double min_visible,
                     std::vector<Annotation>& kept) {
  const double scale = scale_of(part.image_to_view);
  for (const Annotation& annotation : image.annotations) {
    const Box own = clip(annotation.box, static_cast<float>(image.width), static_cast<float>(image.height));
    const Box moved = transform(part.image_to_view, own);
    const Box visible = inside(moved, part.area);
    if (visible.width() <= 0 || visible.height() <= 0) continue;
    const float seen = visible.area() - (erased.empty() ? 0.0F : inside(visible, erased).area());
    if (!annotation.crowd && seen < min_visible * moved.area()) continue;
    Annotation drawn = annotation;
    drawn.box = visible;
    drawn.area = static_cast<float>(annotation.area * scale * scale);
    kept.push_back(drawn);
  }
}

void check_size(const ImageEntry& image, const std::string& bytes) {
  const ImageSize size = require_image_header(bytes, image.path).size;
  if (size.width == image.width && size.height == image.height) return;
  throw Error("the image is " + std::to_string(size.width) + "x" + std::to_string(size.height) + ", its set says " +
                  std::to_string(image.width) + "x" + std::to_string(image.height),
              image.path, "boxes would be in the wrong place; correct width and height in the annotations");
}

void draw_part(const ViewImage& image, const ViewPart& part, const ViewRecipe& recipe, cv::Mat& pixels) {
  const ImageEntry& entry = image.entry;
  const std::string read = image.bytes ? std::string() : read_file(entry.path, kMaxImageBytes);
  const std::string& bytes = image.bytes ? *image.bytes : read;
  check_size(entry, bytes);
  const int reduction = reduction_for(scale_of(part.image_to_view));
  cv::Mat source = read_reduced(bytes, entry.path, reduction);
  turn_hue(source, recipe.hue);
  jitter(source, recipe);
  warp(source, reduction, part, pixels);
}

}  // namespace

View draw_view(std::span<const ViewImage> images, const ViewKey& key, const ViewOptions& options) {
  keep_opencv_single_threaded();
  std::vector<ImageSize> sizes;
  for (const ViewImage& image : images) sizes.push_back({image.entry.width, image.entry.height});
  const ViewRecipe recipe = view_recipe(key, sizes, options);
  View view;
  view.key = key;
  view.width = options.width;
  view.height = options.height;
  view.image_to_view = recipe.parts.front().image_to_view;
  view.pixels.resize(static_cast<std::size_t>(options.width) * options.height * 3);
  cv::Mat pixels(view.height, view.width, CV_8UC3, view.pixels.data());
  for (std::size_t i = 0; i < images.size(); ++i) {
    const ViewPart& part = recipe.parts[i];
    if (recipe.mix > 0 && i + 1 == images.size()) {
      cv::Mat other(view.height, view.width, CV_8UC3);
      draw_part(images[i], part, recipe, other);
      mix_in(pixels, other, recipe.mix);
    } else {
      draw_part(images[i], part, recipe, pixels);
    }
    add_annotations(images[i].entry, part, recipe.erased, options.min_visible, view.annotations);
  }
  if (recipe.blur > 0) cv::GaussianBlur(pixels, pixels, {}, recipe.blur, recipe.blur, cv::BORDER_REFLECT_101);
  if (!recipe.erased.empty()) {
    const ViewArea& area = recipe.erased;
    pixels(cv::Range(area.y0, area.y1), cv::Range(area.x0, area.x1)).setTo(cv::Scalar::all(kGrey));
  }
  return view;
}

View draw_view(const Dataset& set, const ViewKey& key, const ViewOptions& options) {
  if (key.image >= set.images.size()) {
    throw Error("a view of image " + std::to_string(key.image) + ", which does not exist", "set " + set.name);
  }
  std::vector<ViewImage> images = {{set.images[key.image]}};
  for (const std::uint32_t other : further_images(key, set.images.size(), options)) {
    images.push_back({set.images[other]});
  }
  return draw_view(images, key, options);
}

View draw_view(const ImageEntry& image, const ViewKey& key, const ViewOptions& options) {
  return draw_view(std::vector<ViewImage>{{image}}, key, options);
}

}  // namespace conclave
