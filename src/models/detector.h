#pragma once

#include <torch/nn/module.h>

#include <memory>

#include "models/spec.h"

namespace conclave {

// The heads of one forward pass. Logits: no sigmoid is applied inside the model.
struct HeadOutputs {
  at::Tensor heat;  // (B,C,H/4,W/4) logits
  at::Tensor wh;    // (B,2,H/4,W/4) width and height, output cells; wh_per_class: (B,2C,H/4,W/4), class c has 2c, 2c+1
  at::Tensor offset;  // (B,2,H/4,W/4) centre minus its cell, [0,1)
};

// A CenterNet ("Objects as Points", Zhou et al. 2019): backbone, neck, heads. Parameter names follow PyTorch's
// torchvision for the backbone ("backbone.layer1.0.conv1.weight"), "neck.…" and "heat.0.weight" / "heat.2.bias" for the
// rest.
class Detector : public torch::nn::Module {
 public:
  // images (B,3,H,W) float, normalised (normalise()), H and W multiples of 32.
  virtual HeadOutputs forward(const at::Tensor& images) = 0;

  virtual const ModelSpec& spec() const = 0;
};

// A fresh network. All initial values follow from the seed, the same on every machine. Throws Error for an unknown
// part.
std::shared_ptr<Detector> make_detector(const ModelSpec& spec, std::uint64_t seed = 0);

// (B,H,W,3) or (H,W,3) uint8 RGB -> (B,3,H,W) float, (x - mean) / std.
at::Tensor normalise(const at::Tensor& rgb, const ModelSpec& spec);

}  // namespace conclave
