#pragma once

#include <string>

#include "cli/compare_plan.h"
#include "jobs/comparison.h"

namespace conclave {

// What there is so far: finished runs are read, the others are missing. Without statistics.
Comparison read_comparison(const ComparePlan& plan);

// Reads what a finished run left: kDone, or kFailed with the reason where its files can't be read.
void take_finished(ComparedRun& run);

// Which finished runs were made by another version or build than `version`, in words: "kd (seeds 0, 1), pseudo (seed
// 0)"; empty: none.
std::string runs_of_other_builds(const Comparison& comparison, const std::string& version);

}  // namespace conclave
