#pragma once

#include <cstdint>
#include <vector>

#include "cli/config_compare.h"
#include "core/config_node.h"
#include "student/options.h"

namespace conclave {

// How many a training sees, each as often as it does.
std::int64_t images_of(const RunOptions& options);

// Adds what keeps the methods from being compared: other classes, other or no test sets, unequal budgets. `resolved`:
// each method's configuration, in order.
void check_methods(const CompareOptions& options, const std::vector<RunOptions>& resolved, ConfigErrors& errors);

}  // namespace conclave
