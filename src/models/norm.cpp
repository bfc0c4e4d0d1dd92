#include "models/norm.h"

namespace conclave {

void freeze_statistics(torch::nn::Module& model) {
  for (const auto& module : model.modules()) {
    if (auto* norm = module->as<Norm2d>()) norm->eval();
  }
}

}  // namespace conclave
