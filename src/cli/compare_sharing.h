#pragma once

#include <vector>

#include "cli/compare_plan.h"
#include "student/options.h"

namespace conclave {

// Whether two runs of one comparison may ask teachers the same: about views drawn alike, for cells chosen alike. Any
// number of runs may read and write a store at once, but what two ask at the same time is asked twice.
bool asks_alike(const RunOptions& one, const RunOptions& other);

// Whether `recorder` asks everything that `later` asks: its teachers, about its images, as many views. REQUIRES:
// asks_alike().
bool asks_all_of(const RunOptions& recorder, const RunOptions& later);

// Makes the task of a run wait for the first of `before` that records all it asks; where none does, for the last that
// asks some of it. `before`: tasks that ask teachers, in the order in which they start.
void wait_for_targets(PlannedTask& task, const std::vector<PlannedTask>& tasks, const std::vector<std::size_t>& before);

}  // namespace conclave
