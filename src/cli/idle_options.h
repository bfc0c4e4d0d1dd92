#pragma once

#include <string>
#include <vector>

#include "fusion/coverage.h"
#include "student/options.h"

namespace conclave {

// An option that is set and decides nothing beside the others.
struct IdleOption {
  std::string key;  // "fusion.temperature"
  std::string why;  // "has no effect with fusion.method pseudo: kd and kd_labels use it"
};

// By key of the reference. An option that has its default is not set.
std::vector<IdleOption> idle_options(const RunOptions& options);

// The sets, by number, from which the student learns nothing: none of their classes has a source.
std::vector<std::size_t> idle_sets(const Coverage& coverage);

}  // namespace conclave
