#include "datasets/view.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core/utility.hpp>
#include <opencv2/imgproc.hpp>

#include "core/error.h"
#include "core/file.h"
#include "core/random.h"
#include "datasets/image_header.h"
#include "datasets/image_io.h"
#include "datasets/reduce.h"

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

// out = contrast * (brightness * saturated - 128) + 128 in 16.16 fixed point: the same bits whatever the compiler
// fuses.
void jitter(cv::Mat& rgb, const ViewGeometry& g) {
  if (g.brightness == 1 && g.contrast == 1 && g.saturation == 1) return;
  const double gain = g.contrast * g.brightness;
  const auto fixed = [](double value) { return static_cast<std::int32_t>(std::lround(value * 65536)); };
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

// `source` is the image reduced by `reduction`.
void warp(const cv::Mat& source, int reduction, View& view) {
  const Affine inverse = view.image_to_view.inverse();
  const double r = reduction;
  // OpenCV counts from pixel centres, we from pixel corners: half a pixel on both sides.
  const double c = (inverse.a + inverse.b) / 2 + inverse.c, f = (inverse.d + inverse.e) / 2 + inverse.f;
  const cv::Matx23d matrix(inverse.a / r, inverse.b / r, c / r - 0.5, inverse.d / r, inverse.e / r, f / r - 0.5);
  cv::Mat target(view.height, view.width, CV_8UC3, view.pixels.data());
  cv::warpAffine(source, target, matrix, target.size(), cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_CONSTANT,
                 cv::Scalar::all(kGrey));
}

std::vector<Annotation> view_annotations(const ImageEntry& image, const Affine& affine, const ViewOptions& options) {
  std::vector<Annotation> kept;
  const double scale = scale_of(affine);
  for (const Annotation& annotation : image.annotations) {
    const Box inside = clip(annotation.box, static_cast<float>(image.width), static_cast<float>(image.height));
    const Box moved = transform(affine, inside);
    const Box visible = clip(moved, static_cast<float>(options.width), static_cast<float>(options.height));
    if (visible.width() <= 0 || visible.height() <= 0) continue;
    if (!annotation.crowd && visible.area() < options.min_visible * moved.area()) continue;
    Annotation drawn = annotation;
    drawn.box = visible;
    drawn.area = static_cast<float>(annotation.area * scale * scale);
    kept.push_back(drawn);
  }
  return kept;
}

}  // namespace

ViewGeometry view_geometry(const ViewKey& key, int image_width, int image_height, const ViewOptions& options) {
  ViewGeometry g;
  double scale =
      std::min(static_cast<double>(options.width) / image_width, static_cast<double>(options.height) / image_height);
  double centre_x = options.width / 2.0, centre_y = options.height / 2.0;
  bool flip = false;
  if (key.seed != kPlainView) {
    CounterRandom random(key.seed);
    flip = random.chance(options.flip);
    const double zoom = options.scale_min * std::pow(options.scale_max / options.scale_min, random.uniform());
    scale *= std::round(zoom * 65536) / 65536;  // a C library's pow may differ in its last bit
    centre_x += random.uniform(-options.shift, options.shift) * options.width;
    centre_y += random.uniform(-options.shift, options.shift) * options.height;
    g.brightness = 1 + random.uniform(-options.brightness, options.brightness);
    g.contrast = 1 + random.uniform(-options.contrast, options.contrast);
    g.saturation = 1 + random.uniform(-options.saturation, options.saturation);
  }
  g.image_to_view.a = flip ? -scale : scale;
  g.image_to_view.e = scale;
  g.image_to_view.c = centre_x - g.image_to_view.a * image_width / 2;
  g.image_to_view.f = centre_y - scale * image_height / 2;
  return g;
}

View draw_view(const ImageEntry& image, const ViewKey& key, const ViewOptions& options) {
  return draw_view(image, read_file(image.path, kMaxImageBytes), key, options);
}

View draw_view(const ImageEntry& image, const std::string& bytes, const ViewKey& key, const ViewOptions& options) {
  keep_opencv_single_threaded();
  const ImageSize size = require_image_header(bytes, image.path).size;
  if (size.width != image.width || size.height != image.height) {
    throw Error("the image is " + std::to_string(size.width) + "x" + std::to_string(size.height) + ", its set says " +
                    std::to_string(image.width) + "x" + std::to_string(image.height),
                image.path, "boxes would be in the wrong place; correct width and height in the annotations");
  }
  const ViewGeometry geometry = view_geometry(key, image.width, image.height, options);
  View view;
  view.key = key;
  view.width = options.width;
  view.height = options.height;
  view.image_to_view = geometry.image_to_view;
  view.pixels.resize(static_cast<std::size_t>(options.width) * options.height * 3);
  const int reduction = reduction_for(scale_of(geometry.image_to_view));
  cv::Mat source = read_reduced(bytes, image.path, reduction);
  jitter(source, geometry);
  warp(source, reduction, view);
  view.annotations = view_annotations(image, geometry.image_to_view, options);
  return view;
}

}  // namespace conclave
