#pragma once

#include <string>

#include "jobs/comparison.h"

namespace conclave {

// The results of a comparison as tables for reading, AP in points of 100, everything else in the units that it names.
// REQUIRES: summarise() was called.
std::string comparison_markdown(const Comparison& comparison);

}  // namespace conclave
