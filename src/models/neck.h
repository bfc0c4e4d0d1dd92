#pragma once

#include "models/backbone.h"

namespace conclave {

// Brings a backbone's feature maps to one map at the output stride.
class Neck : public torch::nn::Module {
 public:
  // features: as Backbone::forward returns them -> (B,output().channels,H/4,W/4).
  virtual at::Tensor forward(const std::vector<at::Tensor>& features) = 0;

  virtual Features output() const = 0;
};

}  // namespace conclave
