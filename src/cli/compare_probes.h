#pragma once

#include "cli/compare_plan.h"

namespace conclave {

inline constexpr int kProbeSteps = 40;    // of a probe
inline constexpr int kProbeRowSteps = 5;  // from one row of its metrics to the next

// The steps that fill budget.seconds, by what the probes logged. Throws Error (where = the probe's folder) where one
// logged nothing. REQUIRES: the probes are done.
MethodSteps steps_from_probes(const ComparePlan& plan);

}  // namespace conclave
