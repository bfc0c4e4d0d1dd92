#pragma once

#include <string>
#include <vector>

#include "jobs/comparison.h"

namespace conclave {

// What to bear in mind with a comparison, a sentence each: runs that are missing or failed, what else differs between
// the methods, how far its intervals go. REQUIRES: summaries and pairs.
std::vector<std::string> notes_on(const Comparison& comparison);

// "trained with each seed plus 1000"; empty for a method whose runs have the comparison's seeds.
std::string shifted_text(const MethodSummary& summary);

}  // namespace conclave
