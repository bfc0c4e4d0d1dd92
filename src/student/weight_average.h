#pragma once

#include <torch/nn/module.h>

#include "models/weights.h"

namespace conclave {

// An average of a model's parameters and buffers over its training, on the model's device. Counters (integer buffers)
// are copied, not averaged.
class WeightAverage {
 public:
  // Starts at the model's values, which outlives this.
  explicit WeightAverage(const torch::nn::Module& model);

  // average += share * (model - average). REQUIRES: 0 < share <= 1; at 1 the average is the model, bit by bit.
  void blend(double share);

  std::vector<at::Tensor> tensors() const;  // its own, shared
  TensorMap state() const;                  // by the model's names; CPU, contiguous, copies
  // Throws Error (where) for a missing, unexpected or mis-shaped tensor.
  void load_state(const TensorMap& state, const std::string& where);

 private:
  std::vector<std::string> names_;            // of what is averaged, then of what is copied
  std::vector<at::Tensor> source_, average_;  // floating point
  std::vector<at::Tensor> counter_source_, counter_;
};

// The share of the model after optimizer step `step` (0-based) in its exponential moving average: 1 - decay, where the
// decay grows with the step, min(decay, (1 + step) / (10 + step)), so that the average leaves the random start behind
// quickly. REQUIRES: 0 < decay < 1.
double ema_share(double decay, std::int64_t step);

// Does the model after `done` of `steps` optimizer steps count in the mean of its late weights? Those of the last step
// do, and every `every` steps before, down to the share `from` of the training. Never for every = 0.
bool counts_in_mean(int every, double from, std::int64_t done, std::int64_t steps);

}  // namespace conclave
