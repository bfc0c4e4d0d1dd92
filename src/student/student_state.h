#pragma once

#include <memory>
#include <optional>

#include "ranks/gradient_reducer.h"
#include "ranks/process_group.h"
#include "student/checkpoint.h"
#include "student/ema.h"
#include "student/optimizer.h"
#include "student/options.h"

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

  // The weights that are evaluated and shipped: averaged when training.ema is on. CPU, row-major, copies.
  TensorMap shipped() const;

  // "model/…", "ema/…", "optimizer/…".  Throws Error (Exit::kDiverged) when a weight is not finite.
  TensorMap tensors() const;
  void load(const TensorMap& tensors, const std::string& where);

 private:
  std::shared_ptr<Detector> model_;
  std::unique_ptr<Optimizer> optimizer_;
  GradientReducer reducer_;
  std::optional<Ema> ema_;
};

// The run's network: options.model with its classes and its views' size.
ModelSpec spec_of(const RunOptions& options);

}  // namespace conclave
