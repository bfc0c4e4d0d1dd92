#include "student/optimizer.h"

#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>

#include <array>

#include "core/error.h"

namespace conclave {
namespace {

// The fused kernels walk memory linearly: a gradient must lie as its parameter does.
at::Tensor gradient_like(const at::Tensor& parameter) {
  const at::Tensor& gradient = parameter.grad();
  if (gradient.strides() == parameter.strides()) return gradient;
  return at::empty_like(parameter).copy_(gradient);
}

at::Tensor zeros_for(const at::Tensor& parameter) {
  return at::zeros_like(parameter.detach());
}

class AdamW final : public Optimizer {
 public:
  AdamW(const OptimizerOptions& options, std::vector<NamedParameter> parameters)
      : Optimizer(std::move(parameters)), options_(options) {
    for (const NamedParameter& parameter : parameters_) {
      mean_.push_back(zeros_for(parameter.value));
      square_.push_back(zeros_for(parameter.value));
      steps_.push_back(at::zeros({}, parameter.value.options().dtype(at::kFloat).requires_grad(false)));
    }
  }

  void step(double lr) override {
    const at::NoGradGuard no_grad;
    for (const bool decays : {true, false}) {
      std::vector<at::Tensor> values, gradients, means, squares, steps;
      for (std::size_t i = 0; i < parameters_.size(); ++i) {
        const NamedParameter& parameter = parameters_[i];
        if (parameter.decays != decays || !parameter.value.grad().defined()) continue;
        values.push_back(parameter.value);
        gradients.push_back(gradient_like(parameter.value));
        means.push_back(mean_[i]);
        squares.push_back(square_[i]);
        steps.push_back(steps_[i]);
      }
      if (values.empty()) continue;
      at::_foreach_add_(steps, 1);
      at::_fused_adamw_(values, gradients, means, squares, {}, steps, lr, options_.beta1, options_.beta2,
                        decays ? options_.weight_decay : 0.0, kEps, /*amsgrad=*/false, /*maximize=*/false);
    }
  }

  TensorMap tensors() const override {
    TensorMap map;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      map["exp_avg/" + parameters_[i].name] = mean_[i];
      map["exp_avg_sq/" + parameters_[i].name] = square_[i];
      map["step/" + parameters_[i].name] = steps_[i];
    }
    return map;
  }

 private:
  static constexpr double kEps = 1e-8;

  OptimizerOptions options_;
  std::vector<at::Tensor> mean_, square_, steps_;  // per parameter
};

class Sgd final : public Optimizer {
 public:
  Sgd(const OptimizerOptions& options, std::vector<NamedParameter> parameters)
      : Optimizer(std::move(parameters)), options_(options) {
    for (const NamedParameter& parameter : parameters_) momentum_.push_back(zeros_for(parameter.value));
  }

  void step(double lr) override {
    const at::NoGradGuard no_grad;
    for (const bool decays : {true, false}) {
      std::vector<at::Tensor> values, gradients, momenta;
      for (std::size_t i = 0; i < parameters_.size(); ++i) {
        const NamedParameter& parameter = parameters_[i];
        if (parameter.decays != decays || !parameter.value.grad().defined()) continue;
        values.push_back(parameter.value);
        gradients.push_back(gradient_like(parameter.value));
        momenta.push_back(momentum_[i]);
      }
      if (values.empty()) continue;
      // A buffer of zeros makes the first step like any other.
      at::_fused_sgd_(values, gradients, momenta, decays ? options_.weight_decay : 0.0, options_.momentum, lr,
                      /*dampening=*/0.0, /*nesterov=*/false, /*maximize=*/false, /*is_first_step=*/false);
    }
  }

  TensorMap tensors() const override {
    TensorMap map;
    for (std::size_t i = 0; i < parameters_.size(); ++i) map["momentum/" + parameters_[i].name] = momentum_[i];
    return map;
  }

 private:
  OptimizerOptions options_;
  std::vector<at::Tensor> momentum_;  // per parameter
};

}  // namespace

std::vector<NamedParameter> parameters_of(const torch::nn::Module& module) {
  std::vector<NamedParameter> parameters;
  for (const auto& item : module.named_parameters()) {
    parameters.push_back({item.key(), item.value(), item.value().dim() > 1});
  }
  return parameters;
}

at::Tensor clip_gradients(const std::vector<NamedParameter>& parameters, double limit) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  for (const NamedParameter& parameter : parameters) {
    if (parameter.value.grad().defined()) gradients.push_back(parameter.value.grad());
  }
  if (gradients.empty()) return at::zeros({});
  const at::Tensor norm = at::stack(at::_foreach_norm(gradients)).norm();
  if (limit > 0) at::_foreach_mul_(gradients, at::clamp_max(limit / (norm + 1e-6), 1.0));
  return norm;
}

void Optimizer::zero_grad() {
  for (NamedParameter& parameter : parameters_) parameter.value.mutable_grad().reset();
}

TensorMap Optimizer::state() const {
  TensorMap copies;
  for (const auto& [name, tensor] : tensors()) {
    copies[name] = tensor.detach().to(at::kCPU, /*non_blocking=*/false, /*copy=*/true).contiguous();
  }
  return copies;
}

void Optimizer::load_state(const TensorMap& state, const std::string& where) {
  const at::NoGradGuard no_grad;
  TensorMap own = tensors();
  const std::string hint = "the checkpoint belongs to another optimizer or network";
  for (const auto& [name, tensor] : state) {
    if (!own.contains(name)) throw Error("unexpected optimizer state '" + name + "'", where, hint);
  }
  for (auto& [name, tensor] : own) {
    const auto found = state.find(name);
    if (found == state.end()) throw Error("missing optimizer state '" + name + "'", where, hint);
    if (found->second.sizes() != tensor.sizes())
      throw Error("optimizer state '" + name + "' has another shape", where, hint);
  }
  for (auto& [name, tensor] : own) tensor.copy_(state.at(name));
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options, std::vector<NamedParameter> parameters) {
  if (options.type == "adamw") return std::make_unique<AdamW>(options, std::move(parameters));
  if (options.type == "sgd") return std::make_unique<Sgd>(options, std::move(parameters));
  throw Error("unknown optimizer '" + options.type + "'", "training.optimizer.type", "adamw or sgd", Exit::kUsage);
}

}  // namespace conclave
