#pragma once

#include <cstdint>

#include "student/options.h"

namespace conclave {

// The rate of optimizer step `step` (0-based): `peak` * (step + 1) / warmup during the warm-up, then
//   cosine: peak * (1 + cos(pi * t)) / 2 with t the share done of what follows the warm-up,
//   step: peak / 10 for each milestone (a share of all steps) that has been reached,
//   constant: peak.
double learning_rate(const ScheduleOptions& schedule, double peak, std::int64_t step);

// Throws Error (Exit::kUsage) for an unknown type, no steps, a negative warm-up or milestones outside [0,1].
void check(const ScheduleOptions& schedule);

}  // namespace conclave
