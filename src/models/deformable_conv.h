#pragma once

#include <torch/nn/modules/conv.h>

namespace conclave {

// Modulated deformable convolution, 3x3 with padding 1 (Zhu et al. 2019, Deformable ConvNets v2, eq. 1), one offset
// group, as torchvision.ops.deform_conv2d defines it: tap k of output (y,x) reads the input, bilinear and zero outside,
// at (y + k/3 - 1 + offset[2k], x + k%3 - 1 + offset[2k+1]) times mask[k].
//   x (B,in,H,W), offset (B,18,H,W) pixels, mask (B,9,H,W), weight (out,in,3,3), bias (out) -> (B,out,H,W)
// Made of ATen's grid sampling and one matrix product, so it differentiates by itself and runs on any device; it holds
// nine copies of x. On one core the three of a ResNet-18's neck at 256 pixels, with the convolutions that give their
// offsets, take 11 times as long as plain ones forward, 6 times forward and backward.
at::Tensor deformable_convolution(const at::Tensor& x, const at::Tensor& offset, const at::Tensor& mask,
                                  const at::Tensor& weight, const at::Tensor& bias);

// With offsets and mask from a convolution of its own: "offset_mask.weight" (27,in,3,3) and "offset_mask.bias",
// channels 0 to 17 the offsets, 18 to 26 the mask before its sigmoid; "weight", "bias". As in CenterNet, a fresh one
// starts with offset_mask at zero: no offset, mask 0.5.
class DeformableConv : public torch::nn::Module {
 public:
  DeformableConv(int in, int out);
  at::Tensor forward(const at::Tensor& x);

  at::Tensor weight, bias;
  torch::nn::Conv2d offset_mask = nullptr;
};

}  // namespace conclave
