#pragma once

#include "cli/compare_plan.h"
#include "jobs/comparison.h"

namespace conclave {

// What there is so far: finished runs are read, the others are missing. Without statistics. Throws Error as
// read_run_record and read_run_metrics do.
Comparison read_comparison(const ComparePlan& plan);

// Runs what is missing, writes the results after every run and returns them. Throws Error when another process works
// in the folder, when a stop was asked for (Exit::kInterrupted), and at the end when a run failed.
Comparison run_comparison(const CompareOptions& options);

// The plan in words: every task with its command, what is done, and how long the rest will take, about.
std::string plan_text(const ComparePlan& plan);

// With the probes' rates where there are some, and with the facts of the files that it reads. Throws Error
// (Exit::kUsage) as plan_comparison and check_inputs do.
ComparePlan plan_as_far_as_known(const CompareOptions& options);

}  // namespace conclave
