#pragma once

#include "cli/compare_plan.h"
#include "core/config_node.h"

namespace conclave {

// Adds what the tasks would refuse as soon as they start, each reason once: command lines that are none, options out of
// range, sets and weights that are no such files, test sets without an object to find, classes that nothing covers,
// pseudo labels without thresholds, weights by AP without anything to measure them on, addresses without keys. Sets and
// teachers that a step makes are known by that step's configuration, as far as it says.
void check_refusals(const ComparePlan& plan, ConfigErrors& errors);

// Adds addresses that several trainings want, where trainings run side by side.
void check_addresses(const ComparePlan& plan, ConfigErrors& errors);

}  // namespace conclave
