#include "student/step_values.h"

#include <cmath>

#include "core/error.h"

namespace conclave {

StepValues read_values(const Losses& losses, const at::Tensor& grad_norm, ProcessGroup& ranks) {
  const at::NoGradGuard no_grad;
  const at::Device device = losses.total.device();
  std::vector<at::Tensor> scalars = {grad_norm, losses.total};
  for (const LossTerm& term : losses.terms) scalars.push_back(term.value);
  for (at::Tensor& scalar : scalars) scalar = scalar.detach().to(device, at::kFloat).reshape({});
  const at::Tensor stacked = at::stack(scalars);
  ranks.sum({stacked.narrow(0, 1, stacked.size(0) - 1)});  // every rank has the same gradients
  const at::Tensor host = stacked.cpu();
  const float* numbers = host.const_data_ptr<float>();
  StepValues values{numbers[1], numbers[0], {}};
  for (std::size_t i = 0; i < losses.terms.size(); ++i) values.terms.emplace_back(losses.terms[i].name, numbers[i + 2]);
  return values;
}

void check_finite(const StepValues& values, std::int64_t step, const std::string& where) {
  if (std::isfinite(values.loss) && std::isfinite(values.grad_norm)) return;
  std::string terms;
  for (const auto& [name, value] : values.terms) {
    if (!std::isfinite(value)) terms += (terms.empty() ? "" : ", ") + name + " = " + std::to_string(value);
  }
  if (terms.empty()) terms = "gradient norm = " + std::to_string(values.grad_norm);
  throw Error("the loss is not finite at step " + std::to_string(step) + ": " + terms, where,
              "the last good checkpoint is kept; lower training.lr, or set training.clip", Exit::kDiverged);
}

}  // namespace conclave
