#include "student/student_state.h"

#include "core/error.h"
#include "models/norm.h"
#include "ranks/sync_batch_norm.h"
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

std::shared_ptr<Detector> fresh_model(const RunOptions& options, at::Device device) {
  const TrainOptions& training = options.training;
  const std::shared_ptr<Detector> model = make_detector(spec_of(options), options.seed);
  if (!training.init.empty()) load_initial_weights(*model, training.init, training.init_heads);
  place(*model, device, training.channels_last);
  model->train();
  if (training.norm_eval) freeze_statistics(*model);
  return model;
}

}  // namespace

ModelSpec spec_of(const RunOptions& options) {
  ModelSpec spec = options.model;
  spec.classes = options.classes;
  spec.width = options.views.width;
  spec.height = options.views.height;
  return spec;
}

StudentState::StudentState(const RunOptions& options, at::Device device, ProcessGroup& ranks)
    : model_(fresh_model(options, device)),
      optimizer_(make_optimizer(options.training.optimizer, conclave::parameters_of(*model_))),
      reducer_(ranks, options.ranks, model_->parameters()),
      ema_decay_(options.training.ema),
      swa_options_(options.training.swa),
      steps_(options.training.schedule.steps),
      swa_counted_(at::zeros({}, at::kLong)) {
  synchronise_norms(*model_, ranks);
  if (ema_decay_ > 0) ema_.emplace(*model_);
  if (swa_options_.every > 0) swa_.emplace(*model_);
}

void StudentState::before_forward() {
  reducer_.before_forward();
}

void StudentState::backward(const at::Tensor& loss) {
  optimizer_->zero_grad();
  reducer_.backward(loss);
}

void StudentState::share(ProcessGroup& ranks) {
  std::vector<at::Tensor> all;
  for (const auto& [name, tensor] : state_of(*model_)) all.push_back(tensor);
  for (const auto& [name, tensor] : optimizer_->tensors()) all.push_back(tensor);
  for (const std::optional<WeightAverage>* average : {&ema_, &swa_}) {
    if (!*average) continue;
    for (const at::Tensor& tensor : (*average)->tensors()) all.push_back(tensor);
  }
  ranks.broadcast(all);
  ranks.broadcast(std::vector<at::Tensor>{swa_counted_});
}

void StudentState::update(double lr, std::int64_t step) {
  optimizer_->step(lr);
  if (ema_) ema_->blend(ema_share(ema_decay_, step));
  if (counts_in_mean(swa_options_.every, swa_options_.from, step + 1, steps_)) {
    swa_counted_ += 1;
    swa_->blend(1 / static_cast<double>(swa_counted()));
  }
}

TensorMap StudentState::shipped() const {
  if (ships_mean()) return swa_->state();
  return ema_ ? ema_->state() : copies(state_of(*model_));
}

TensorMap StudentState::tensors() const {
  TensorMap all;
  add(all, "model/", copies(state_of(*model_)));
  if (ema_) add(all, "ema/", ema_->state());
  if (ships_mean()) {
    add(all, "swa/", swa_->state());
    all["swa_counted"] = swa_counted_.clone();
  }
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
  if (const auto counted = tensors.find("swa_counted"); swa_ && counted != tensors.end()) {
    swa_counted_.copy_(counted->second);
    swa_->load_state(part_of(tensors, "swa/"), where);
  }
}

}  // namespace conclave
