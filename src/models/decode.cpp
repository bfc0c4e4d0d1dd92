#include "models/decode.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "core/error.h"

namespace conclave {
namespace {

struct Peak {
  float score;
  std::int64_t index;  // (class * H + y) * W + x
};

// Falling score; equal ones in the order of their index, so that the result is the same everywhere.
bool before(const Peak& a, const Peak& b) {
  return a.score != b.score ? a.score > b.score : a.index < b.index;
}

// heat: the kept peaks (C,H,W) of one image, row-major.
std::vector<Peak> strongest(const float* heat, std::int64_t count, const DecodeOptions& options) {
  std::vector<Peak> peaks;
  for (std::int64_t i = 0; i < count; ++i) {
    if (heat[i] > 0 && heat[i] >= options.threshold) peaks.push_back({heat[i], i});
  }
  const auto kept = std::min(peaks.size(), static_cast<std::size_t>(std::max(options.top_k, 0)));
  std::partial_sort(peaks.begin(), peaks.begin() + static_cast<std::ptrdiff_t>(kept), peaks.end(), before);
  peaks.resize(kept);
  return peaks;
}

// The largest of each value and its two neighbours along `dim`: twice, a 3x3 maximum, in a quarter of max_pool2d's
// time.
at::Tensor largest_of_three(const at::Tensor& values, std::int64_t dim) {
  at::Tensor largest = values.clone();
  const std::int64_t pairs = values.size(dim) - 1;
  at::Tensor first = largest.narrow(dim, 0, pairs), second = largest.narrow(dim, 1, pairs);
  at::maximum_out(first, first, values.narrow(dim, 1, pairs));
  at::maximum_out(second, second, values.narrow(dim, 0, pairs));
  return largest;
}

// What is read below lies inside of the tensors.
void check_shapes(const HeadOutputs& heads) {
  const at::Tensor &heat = heads.heat, &wh = heads.wh, &offset = heads.offset;
  const auto on_grid = [&](const at::Tensor& head) {
    return head.dim() == 4 && head.size(0) == heat.size(0) && head.size(2) == heat.size(2) &&
           head.size(3) == heat.size(3);
  };
  if (heat.dim() != 4 || !on_grid(wh) || !on_grid(offset) || offset.size(1) != 2 ||
      (wh.size(1) != 2 && wh.size(1) != 2 * heat.size(1))) {
    throw Error("heat, wh and offset are not (B,C,h,w), (B,2,h,w) or (B,2C,h,w), and (B,2,h,w)");
  }
}

at::Tensor on_cpu(const at::Tensor& tensor) {
  return tensor.to(at::kCPU, at::kFloat).contiguous();
}

}  // namespace

at::Tensor keep_peaks(const at::Tensor& heat) {
  const at::Tensor largest = largest_of_three(largest_of_three(heat.detach(), 3), 2);
  return at::where(largest == heat, heat, at::zeros({}, heat.options()));
}

std::vector<std::vector<Detection>> decode(const HeadOutputs& heads, const DecodeOptions& options) {
  const at::NoGradGuard no_grad;
  check_shapes(heads);
  const at::Tensor heat = on_cpu(keep_peaks(heads.heat.to(at::kFloat).sigmoid()));
  const at::Tensor wh = on_cpu(heads.wh), offset = on_cpu(heads.offset);
  const std::int64_t width = heat.size(3), plane = heat.size(2) * width, per_image = heat.size(1) * plane;
  const bool per_class = wh.size(1) != 2;

  std::vector<std::vector<Detection>> images(static_cast<std::size_t>(heat.size(0)));
  for (std::size_t image = 0; image < images.size(); ++image) {
    const auto at = static_cast<std::int64_t>(image);
    const float* image_sizes = wh.const_data_ptr<float>() + at * wh.size(1) * plane;
    const float* offsets = offset.const_data_ptr<float>() + at * 2 * plane;
    for (const Peak& peak : strongest(heat.const_data_ptr<float>() + at * per_image, per_image, options)) {
      const std::int64_t cell = peak.index % plane, cls = peak.index / plane;
      const float* sizes = image_sizes + (per_class ? 2 * cls * plane : 0);
      const float x = static_cast<float>(cell % width) + offsets[cell];
      const float y = static_cast<float>(cell / width) + offsets[plane + cell];
      const float half_width = std::max(sizes[cell], 0.0f) / 2;
      const float half_height = std::max(sizes[plane + cell], 0.0f) / 2;
      const Box box{(x - half_width) * kStride, (y - half_height) * kStride, (x + half_width) * kStride,
                    (y + half_height) * kStride};
      images[image].push_back({box, static_cast<int>(cls), peak.score});
    }
  }
  return images;
}

}  // namespace conclave
