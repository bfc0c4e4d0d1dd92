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

// Adds a gap whose lower end is the method that learns from all labels and whose upper end that which ignores some.
void check_gap(const CompareOptions& options, const std::vector<RunOptions>& resolved, ConfigErrors& errors);

// Adds what a method sets and what then decides nothing: it would equal another method, hours later. What is set for
// all methods alike is there for some of them.
void check_idle_options(const CompareOptions& options, const std::vector<RunOptions>& resolved, ConfigErrors& errors);

}  // namespace conclave
