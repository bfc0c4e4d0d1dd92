#pragma once

#include <memory>

#include "models/backbone.h"

namespace conclave {

// The logit that a fresh heat head starts at: sigmoid(-2.19) = 0.1, the focal loss's usual prior (Lin et al. 2017).
inline constexpr double kHeatBias = -2.19;

// conv 3x3 -> ReLU -> conv 1x1, both with bias; "0" and "2" in a module's names. REQUIRES: input.stride == kStride.
class Head : public torch::nn::Module {
 public:
  virtual at::Tensor forward(const at::Tensor& features) = 0;  // (B,input.channels,h,w) -> (B,outputs,h,w)
};

std::shared_ptr<Head> make_head(const Features& input, int hidden_channels, int outputs);

}  // namespace conclave
