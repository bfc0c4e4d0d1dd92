#pragma once

#include <memory>
#include <optional>

#include "student/checkpoint.h"
#include "student/ema.h"
#include "student/optimizer.h"
#include "student/options.h"

namespace conclave {

// What a training changes step by step: the network, its average, the optimizer. All of it goes into a checkpoint.
class StudentState {
 public:
  // A fresh student on its device, from the run's seed and training.init.
  explicit StudentState(const RunOptions& options);

  Detector& model() { return *model_; }
  Optimizer& optimizer() { return *optimizer_; }

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
  std::optional<Ema> ema_;
};

// The run's network: options.model with its classes and its views' size.
ModelSpec spec_of(const RunOptions& options);

}  // namespace conclave
