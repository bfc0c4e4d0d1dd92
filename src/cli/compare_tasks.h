#pragma once

#include <string>
#include <vector>

#include "cli/compare_plan.h"
#include "cli/task_runner.h"

namespace conclave {

// The plan's processes. Done from the start is what is finished, and a step that nothing unfinished needs; failed from
// the start is a run that may fail and diverged before, for that is its result.
std::vector<Task> tasks_of(const ComparePlan& plan);

// Whether what lies in the training's folder is this training: what is against it in words (not_the_training), empty:
// nothing.
std::string against_its_folder(const PlannedTask& task);

// Keeps the failure of a run that may fail and diverged, for the next start. Throws Error when it can't be written.
void keep_divergence(const PlannedTask& planned, const Task& task);

}  // namespace conclave
