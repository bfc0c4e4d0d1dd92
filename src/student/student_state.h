#pragma once

#include <memory>
#include <optional>

#include "ranks/gradient_reducer.h"
#include "ranks/process_group.h"
#include "student/checkpoint.h"
#include "student/optimizer.h"
#include "student/options.h"
#include "student/weight_average.h"

namespace conclave {

// What a training changes step by step: the network, its average, the optimizer. All of it goes into a checkpoint.
class StudentState {
 public:
  // A fresh student on the device, from the run's seed and training.init. Its normalisation and the sums of gradients
  // span the ranks.
  StudentState(const RunOptions& options, at::Device device, ProcessGroup& ranks);

  Detector& model() { return *model_; }
  Optimizer& optimizer() { return *optimizer_; }

  // Call before the forward pass of a step; then all ranks backward() with their part of the loss. Gradients are then
  // those of the whole batch.
  void before_forward();
  void backward(const at::Tensor& loss);

  // Every rank's state becomes rank 0's.
  void share(ProcessGroup& ranks);

  // One optimizer step with what backward left; `step` 0-based.
  void update(double lr, std::int64_t step);

  // The weights that are evaluated and shipped: the mean of training.swa once it has begun, else the moving average
  // when training.ema is on, else the network's own. CPU, row-major, copies.
  TensorMap shipped() const;
  // Has the mean of training.swa begun? Its normalisation statistics are means too, of other weights' statistics.
  bool ships_mean() const { return swa_counted() > 0; }

  // "model/…", "ema/…", "swa/…" once it has begun, "optimizer/…".  Throws Error (Exit::kDiverged) when a weight is not
  // finite.
  TensorMap tensors() const;
  void load(const TensorMap& tensors, const std::string& where);

 private:
  std::int64_t swa_counted() const { return swa_counted_.item<std::int64_t>(); }

  std::shared_ptr<Detector> model_;
  std::unique_ptr<Optimizer> optimizer_;
  GradientReducer reducer_;
  const double ema_decay_;
  const SwaOptions swa_options_;
  const std::int64_t steps_;
  std::optional<WeightAverage> ema_, swa_;
  at::Tensor swa_counted_;  // weights in swa_; CPU
};

// The run's network: options.model with its classes and its views' size.
ModelSpec spec_of(const RunOptions& options);

}  // namespace conclave
