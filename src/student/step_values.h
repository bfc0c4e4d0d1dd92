#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fusion/fuse.h"
#include "ranks/process_group.h"

namespace conclave {

// The numbers of one training step, on the host.
struct StepValues {
  float loss = 0;
  float grad_norm = 0;
  std::vector<std::pair<std::string, double>> terms;  // in the losses' order
};

// The losses of all ranks added up: those of the whole batch. Waits for the device once.
StepValues read_values(const Losses& losses, const at::Tensor& grad_norm, ProcessGroup& ranks);

// Throws Error (Exit::kDiverged, where) naming the step and the terms when the loss or the gradient is not finite.
void check_finite(const StepValues& values, std::int64_t step, const std::string& where);

}  // namespace conclave
