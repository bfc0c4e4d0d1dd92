#include "student/norm_statistics.h"

#include <ATen/core/grad_mode.h>

#include <optional>
#include <vector>

#include "models/norm.h"

namespace conclave {

void retake_statistics(Detector& model, int batches, const std::function<void(int batch)>& forward) {
  const at::NoGradGuard no_grad;
  std::vector<Norm2d::Impl*> norms;
  std::vector<std::optional<double>> momenta;
  for (const auto& module : model.modules()) {
    if (auto* norm = module->as<Norm2d>()) {
      norms.push_back(norm);
      momenta.push_back(norm->options.momentum());
    }
  }
  model.train();
  for (int batch = 0; batch < batches; ++batch) {
    for (auto* norm : norms) norm->options.momentum(1.0 / (batch + 1));  // the first batch replaces what was there
    forward(batch);
  }
  for (std::size_t i = 0; i < norms.size(); ++i) norms[i]->options.momentum(momenta[i]);
}

}  // namespace conclave
