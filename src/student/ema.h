#pragma once

#include <torch/nn/module.h>

#include "models/weights.h"

namespace conclave {

// The exponential moving average of a model's parameters and buffers, on the model's device. Counters (integer buffers)
// are copied, not averaged. The decay grows with the step, min(decay, (1 + step) / (10 + step)), so that the average
// leaves the random start behind quickly.
class Ema {
 public:
  // Starts at the model's values. REQUIRES: 0 < decay < 1; the model outlives this.
  Ema(const torch::nn::Module& model, double decay);

  // Call after optimizer step `step` (0-based).
  void update(std::int64_t step);

  std::vector<at::Tensor> tensors() const;  // its own, shared
  TensorMap state() const;                  // by the model's names; CPU, contiguous, copies
  // Throws Error (where) for a missing, unexpected or mis-shaped tensor.
  void load_state(const TensorMap& state, const std::string& where);

 private:
  double decay_;
  std::vector<std::string> names_;            // of what is averaged, then of what is copied
  std::vector<at::Tensor> source_, average_;  // floating point
  std::vector<at::Tensor> counter_source_, counter_;
};

}  // namespace conclave
