#include "fusion/ground_truth.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "core/error.h"
#include "models/spec.h"

namespace conclave {
namespace {

// Writes max(heat, Gaussian) around the centre, cut off at the radius and at the edge of the grid.
void draw_gaussian(float* heat, int height, int width, int centre_x, int centre_y, int radius,
                   std::vector<float>& profile) {
  const double sigma = (2 * radius + 1) / 6.0;
  profile.resize(static_cast<std::size_t>(radius) + 1);
  for (int d = 0; d <= radius; ++d) {
    profile[static_cast<std::size_t>(d)] = static_cast<float>(std::exp(-d * d / (2 * sigma * sigma)));
  }
  const int top = std::max(0, centre_y - radius), bottom = std::min(height - 1, centre_y + radius);
  const int left = std::max(0, centre_x - radius), right = std::min(width - 1, centre_x + radius);
  for (int y = top; y <= bottom; ++y) {
    const float vertical = profile[static_cast<std::size_t>(std::abs(y - centre_y))];
    float* row = heat + static_cast<std::ptrdiff_t>(y) * width;
    for (int x = left; x <= right; ++x) {
      row[x] = std::max(row[x], vertical * profile[static_cast<std::size_t>(std::abs(x - centre_x))]);
    }
  }
}

// The smaller root's distance of a x^2 - b x + c, as CornerNet writes it; 0 where rounding makes the root imaginary.
double square_root(double b, double four_a_c) {
  return std::sqrt(std::max(0.0, b * b - four_a_c));
}

}  // namespace

double gaussian_radius(double width, double height, double min_overlap) {
  const double sum = width + height, area = width * height;
  // The box shifted along its diagonal.
  const double shifted = (sum - square_root(sum, 4 * area * (1 - min_overlap) / (1 + min_overlap))) / 2;
  // The box inside the true one.
  const double inner = (2 * sum - square_root(2 * sum, 16 * area * (1 - min_overlap))) / 8;
  // The box around the true one.
  const double b = 2 * min_overlap * sum;
  const double outer = (-b + square_root(b, 16 * min_overlap * (min_overlap - 1) * area)) / (8 * min_overlap);
  return std::min({shifted, inner, outer});
}

GroundTruth make_ground_truth(const std::vector<std::vector<LabelBox>>& boxes, int classes, int height, int width,
                              double min_overlap) {
  const auto batch = static_cast<std::int64_t>(boxes.size());
  GroundTruth truth;
  truth.heat = at::zeros({batch, classes, height, width}, at::kFloat);
  float* heat = truth.heat.data_ptr<float>();
  const std::int64_t plane = static_cast<std::int64_t>(height) * width;

  std::vector<std::int64_t> index, cls;
  std::vector<float> wh, offset, weight, profile;
  for (std::int64_t b = 0; b < batch; ++b) {
    for (const LabelBox& label : boxes[static_cast<std::size_t>(b)]) {
      if (label.cls < 0 || label.cls >= classes) {
        throw Error("a box has class " + std::to_string(label.cls) + " of " + std::to_string(classes));
      }
      const float w = label.box.width() / kStride, h = label.box.height() / kStride;
      const float x = (label.box.x0 + label.box.x1) / 2 / kStride, y = (label.box.y0 + label.box.y1) / 2 / kStride;
      const bool inside = x >= 0 && y >= 0 && x < static_cast<float>(width) && y < static_cast<float>(height);
      if (!(w > 0 && h > 0 && inside)) continue;  // also NaN

      const int column = static_cast<int>(x), row = static_cast<int>(y);
      const int radius = static_cast<int>(std::clamp(gaussian_radius(w, h, min_overlap), 0.0, 65536.0));
      draw_gaussian(heat + (b * classes + label.cls) * plane, height, width, column, row, radius, profile);
      index.push_back(b * plane + static_cast<std::int64_t>(row) * width + column);
      cls.push_back(label.cls);
      weight.push_back(label.weight);
      wh.insert(wh.end(), {w, h});
      offset.insert(offset.end(), {x - static_cast<float>(column), y - static_cast<float>(row)});
    }
  }
  const auto count = static_cast<std::int64_t>(index.size());
  truth.index = at::tensor(index, at::kLong);
  truth.cls = at::tensor(cls, at::kLong);
  truth.wh = at::tensor(wh, at::kFloat).view({count, 2});
  truth.offset = at::tensor(offset, at::kFloat).view({count, 2});
  if (std::any_of(weight.begin(), weight.end(), [](float w) { return w != 1; })) {
    truth.weight = at::tensor(weight, at::kFloat);
  }
  return truth;
}

}  // namespace conclave
