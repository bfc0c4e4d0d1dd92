#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fusion/fuse.h"

namespace conclave {

// The numbers of one training step, on the host.
struct StepValues {
  float loss = 0;
  float grad_norm = 0;
  std::vector<std::pair<std::string, double>> terms;  // in the losses' order
};

// Waits for the device once.
StepValues read_values(const Losses& losses, const at::Tensor& grad_norm);

// Throws Error (Exit::kDiverged, where) naming the step and the terms when the loss or the gradient is not finite.
void check_finite(const StepValues& values, std::int64_t step, const std::string& where);

}  // namespace conclave
