#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <vector>

namespace conclave {

// The shape of one feature map: what a neck needs to know of a backbone, and a head of a neck.
struct Features {
  int channels = 0;
  int stride = 0;  // input pixels per cell
};

// Turns an image into feature maps of falling resolution. Parameter names follow torchvision.
class Backbone : public torch::nn::Module {
 public:
  // images (B,3,H,W), H and W multiples of the last stride -> one (B,channels,H/stride,W/stride) per entry of
  // outputs().
  virtual std::vector<at::Tensor> forward(const at::Tensor& images) = 0;

  // Strides 4, 8, 16, 32, in this order.
  virtual std::vector<Features> outputs() const = 0;
};

}  // namespace conclave
