#include "models/deformable_conv.h"

#include <ATen/ATen.h>

namespace conclave {
namespace {

constexpr std::int64_t kTaps = 9;

}  // namespace

at::Tensor deformable_convolution(const at::Tensor& x, const at::Tensor& offset, const at::Tensor& mask,
                                  const at::Tensor& weight, const at::Tensor& bias) {
  const std::int64_t batch = x.size(0), channels = x.size(1), height = x.size(2), width = x.size(3);
  const auto options = x.options().dtype(at::kFloat);
  const at::Tensor tap = at::arange(kTaps, options);
  const at::Tensor rows =
      at::arange(height, options).view({1, 1, height, 1}) + (at::floor(tap / 3) - 1).view({1, kTaps, 1, 1});
  const at::Tensor columns =
      at::arange(width, options).view({1, 1, 1, width}) + (tap.remainder(3) - 1).view({1, kTaps, 1, 1});
  const at::Tensor shifts = offset.to(at::kFloat).view({batch, kTaps, 2, height, width});
  // grid_sample's pixel p lies at (2 p + 1) / size - 1.
  const at::Tensor y =
      (rows + shifts.select(2, 0)) * (2.0 / static_cast<double>(height)) + (1.0 / static_cast<double>(height) - 1.0);
  const at::Tensor at_x =
      (columns + shifts.select(2, 1)) * (2.0 / static_cast<double>(width)) + (1.0 / static_cast<double>(width) - 1.0);
  const at::Tensor grid = at::stack({at_x, y}, -1).view({batch, kTaps * height, width, 2});
  const at::Tensor taken = at::grid_sampler_2d(x.to(at::kFloat), grid, 0, 0, /*align_corners=*/false)
                               .view({batch, channels, kTaps, height, width});
  const at::Tensor weighted =
      (taken * mask.to(at::kFloat).unsqueeze(1)).view({batch, channels * kTaps, height * width});
  const at::Tensor out = at::matmul(weight.view({1, weight.size(0), channels * kTaps}), weighted);
  return out.view({batch, weight.size(0), height, width}) + bias.view({1, -1, 1, 1});
}

DeformableConv::DeformableConv(int in, int out) {
  weight = register_parameter("weight", at::zeros({out, in, 3, 3}));
  bias = register_parameter("bias", at::zeros({out}));
  offset_mask =
      register_module("offset_mask", torch::nn::Conv2d(torch::nn::Conv2dOptions(in, 3 * kTaps, 3).padding(1)));
}

at::Tensor DeformableConv::forward(const at::Tensor& x) {
  const at::Tensor both = offset_mask(x);
  return deformable_convolution(x, both.narrow(1, 0, 2 * kTaps), both.narrow(1, 2 * kTaps, kTaps).sigmoid(), weight,
                                bias);
}

}  // namespace conclave
