#include "student/weight_average.h"

#include <ATen/ops/_foreach_lerp.h>

#include <algorithm>

#include "core/error.h"

namespace conclave {

WeightAverage::WeightAverage(const torch::nn::Module& model) {
  const at::NoGradGuard no_grad;
  std::vector<std::string> counters;
  const auto add = [&](const std::string& name, const at::Tensor& tensor) {
    if (tensor.is_floating_point()) {
      names_.push_back(name);
      source_.push_back(tensor.detach());
      average_.push_back(tensor.detach().clone());
    } else {
      counters.push_back(name);
      counter_source_.push_back(tensor);
      counter_.push_back(tensor.clone());
    }
  };
  for (const auto& item : model.named_parameters()) add(item.key(), item.value());
  for (const auto& item : model.named_buffers()) add(item.key(), item.value());
  names_.insert(names_.end(), counters.begin(), counters.end());
}

void WeightAverage::blend(double share) {
  const at::NoGradGuard no_grad;
  at::_foreach_lerp_(average_, source_, share);
  for (std::size_t i = 0; i < counter_.size(); ++i) counter_[i].copy_(counter_source_[i]);
}

std::vector<at::Tensor> WeightAverage::tensors() const {
  std::vector<at::Tensor> all = average_;
  all.insert(all.end(), counter_.begin(), counter_.end());
  return all;
}

TensorMap WeightAverage::state() const {
  TensorMap state;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const at::Tensor& tensor = i < average_.size() ? average_[i] : counter_[i - average_.size()];
    state[names_[i]] = tensor.to(at::kCPU, /*non_blocking=*/false, /*copy=*/true).contiguous();
  }
  return state;
}

void WeightAverage::load_state(const TensorMap& state, const std::string& where) {
  const at::NoGradGuard no_grad;
  if (state.size() != names_.size()) throw Error("the averaged weights are of another network", where);
  for (std::size_t i = 0; i < names_.size(); ++i) {
    at::Tensor& tensor = i < average_.size() ? average_[i] : counter_[i - average_.size()];
    const auto found = state.find(names_[i]);
    if (found == state.end()) throw Error("missing averaged weight '" + names_[i] + "'", where);
    if (found->second.sizes() != tensor.sizes())
      throw Error("averaged weight '" + names_[i] + "' has another shape", where);
    tensor.copy_(found->second);
  }
}

double ema_share(double decay, std::int64_t step) {
  return 1 - std::min(decay, (1.0 + static_cast<double>(step)) / (10.0 + static_cast<double>(step)));
}

bool counts_in_mean(int every, double from, std::int64_t done, std::int64_t steps) {
  return every > 0 && static_cast<double>(done) > from * static_cast<double>(steps) && (steps - done) % every == 0;
}

}  // namespace conclave
