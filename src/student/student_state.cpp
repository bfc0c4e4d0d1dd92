#include "student/student_state.h"

#include "core/error.h"
#include "student/device.h"
#include "student/initial_weights.h"

namespace conclave {
namespace {

TensorMap copies(const TensorMap& tensors) {
  TensorMap result;
  for (const auto& [name, tensor] : tensors) {
    result[name] = tensor.detach().to(at::kCPU, /*non_blocking=*/false, /*copy=*/true).contiguous();
  }
  return result;
}

void add(TensorMap& all, const std::string& prefix, const TensorMap& part) {
  for (const auto& [name, tensor] : part) all[prefix + name] = tensor;
}

TensorMap part_of(const TensorMap& all, const std::string& prefix) {
  TensorMap part;
  for (const auto& [name, tensor] : all) {
    if (name.starts_with(prefix)) part[name.substr(prefix.size())] = tensor;
  }
  return part;
}

}  // namespace

ModelSpec spec_of(const RunOptions& options) {
  ModelSpec spec = options.model;
  spec.classes = options.classes;
  spec.width = options.views.width;
  spec.height = options.views.height;
  return spec;
}

StudentState::StudentState(const RunOptions& options) {
  const TrainOptions& training = options.training;
  model_ = make_detector(spec_of(options), options.seed);
  if (!training.init.empty()) load_initial_weights(*model_, training.init);
  place(*model_, device_of(training.device), training.channels_last);
  model_->train();
  optimizer_ = make_optimizer(training.optimizer, conclave::parameters_of(*model_));
  if (training.ema > 0) ema_.emplace(*model_, training.ema);
}

void StudentState::update(double lr, std::int64_t step) {
  optimizer_->step(lr);
  if (ema_) ema_->update(step);
}

TensorMap StudentState::shipped() const {
  return ema_ ? ema_->state() : copies(state_of(*model_));
}

TensorMap StudentState::tensors() const {
  TensorMap all;
  add(all, "model/", copies(state_of(*model_)));
  if (ema_) add(all, "ema/", ema_->state());
  add(all, "optimizer/", optimizer_->state());
  for (const auto& [name, tensor] : all) {
    if (!at::isfinite(tensor).all().item<bool>()) {
      throw Error("'" + name + "' is not finite", {}, "lower training.lr; the last good checkpoint is kept",
                  Exit::kDiverged);
    }
  }
  return all;
}

void StudentState::load(const TensorMap& tensors, const std::string& where) {
  load_state(*model_, part_of(tensors, "model/"), where);
  optimizer_->load_state(part_of(tensors, "optimizer/"), where);
  if (ema_) ema_->load_state(part_of(tensors, "ema/"), where);
}

}  // namespace conclave
