#pragma once

#include <vector>

#include "cli/compare_plan.h"
#include "core/config_node.h"

namespace conclave {

// Adds every training that learns from images of the test set or chooses its weights on them, whatever annotations list
// them. Sets that a step makes are not there yet and are passed over: a run counts its own test images that it learnt
// from, and the report says so.
void check_test_is_unseen(const std::vector<PlannedTask>& tasks, const DatasetOptions& test, ConfigErrors& errors);

}  // namespace conclave
