#include "teachers/box_targets.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "fusion/ground_truth.h"

namespace conclave {
namespace {

constexpr double kLeastP = 1e-6, kMostP = 1 - 1e-4;

double logit(double p) {
  const double q = std::clamp(p, kLeastP, kMostP);
  return std::log(q / (1 - q));
}

}  // namespace

HeadOutputs render_boxes(const std::vector<Detection>& detections, int classes, int height, int width,
                         double min_overlap) {
  const std::int64_t plane = static_cast<std::int64_t>(height) * width;
  HeadOutputs heads{at::zeros({1, classes, height, width}, at::kFloat), at::zeros({1, 2, height, width}, at::kFloat),
                    at::zeros({1, 2, height, width}, at::kFloat)};
  float* const heat = heads.heat.data_ptr<float>();
  float* const wh = heads.wh.data_ptr<float>();
  float* const offset = heads.offset.data_ptr<float>();
  std::vector<float> best(static_cast<std::size_t>(plane), 0.0f);  // of all classes
  std::vector<Detection> rising = detections;
  std::stable_sort(rising.begin(), rising.end(),
                   [](const Detection& a, const Detection& b) { return a.score < b.score; });
  struct Centre {
    std::int64_t cell;
    float w, h, dx, dy;
  };
  std::vector<Centre> centres;
  for (const Detection& detection : rising) {
    const float w = detection.box.width() / kStride, h = detection.box.height() / kStride;
    const float x = (detection.box.x0 + detection.box.x1) / 2 / kStride;
    const float y = (detection.box.y0 + detection.box.y1) / 2 / kStride;
    const bool inside = x >= 0 && y >= 0 && x < static_cast<float>(width) && y < static_cast<float>(height);
    if (!(w > 0 && h > 0 && inside)) continue;  // also NaN
    const int column = static_cast<int>(x), row = static_cast<int>(y);
    const int radius = static_cast<int>(std::clamp(gaussian_radius(w, h, min_overlap), 0.0, 65536.0));
    const double sigma = (2 * radius + 1) / 6.0;
    centres.push_back({static_cast<std::int64_t>(row) * width + column, w, h, x - static_cast<float>(column),
                       y - static_cast<float>(row)});
    for (int v = std::max(0, row - radius); v <= std::min(height - 1, row + radius); ++v) {
      for (int u = std::max(0, column - radius); u <= std::min(width - 1, column + radius); ++u) {
        const double square = static_cast<double>((u - column) * (u - column) + (v - row) * (v - row));
        const auto value = static_cast<float>(detection.score * std::exp(-square / (2 * sigma * sigma)));
        const std::int64_t cell = static_cast<std::int64_t>(v) * width + u;
        float& own = heat[detection.cls * plane + cell];
        own = std::max(own, value);
        float& any = best[static_cast<std::size_t>(cell)];
        if (value < any) continue;
        any = value;
        wh[cell] = w;
        wh[plane + cell] = h;
        offset[cell] = std::clamp(x - static_cast<float>(u), 0.0f, 1.0f);
        offset[plane + cell] = std::clamp(y - static_cast<float>(v), 0.0f, 1.0f);
      }
    }
  }
  for (const Centre& centre : centres) {
    wh[centre.cell] = centre.w;
    wh[plane + centre.cell] = centre.h;
    offset[centre.cell] = centre.dx;
    offset[plane + centre.cell] = centre.dy;
  }
  for (std::int64_t i = 0, n = classes * plane; i < n; ++i) heat[i] = static_cast<float>(logit(heat[i]));
  return heads;
}

}  // namespace conclave
