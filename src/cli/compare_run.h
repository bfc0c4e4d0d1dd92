#pragma once

#include <optional>

#include "cli/compare_plan.h"
#include "core/error.h"
#include "jobs/comparison.h"

namespace conclave {

// What came out, and what failed and may not: the results hold all the same.
struct CompareOutcome {
  Comparison comparison;
  std::optional<Error> failure;
};

// Runs what is missing and writes the results after every run. Throws Error when another process works in the folder,
// when a probe or what it needs failed, when a stop was asked for (Exit::kInterrupted), and when the results can't be
// written at the end.
CompareOutcome run_comparison(const CompareOptions& options);

// The plan in words: every task with its command, what is done, and how long the rest will take, about.
std::string plan_text(const ComparePlan& plan);

// With the probes' rates where there are some, and with the facts of the files that it reads. Throws Error
// (Exit::kUsage) as plan_comparison and check_inputs do.
ComparePlan plan_as_far_as_known(const CompareOptions& options);

}  // namespace conclave
