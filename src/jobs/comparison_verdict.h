#pragma once

#include <string>

#include "jobs/comparison.h"

namespace conclave {

// A method against the baseline in words, from the paired interval of their difference in AP alone: "better" or "worse"
// only where the interval excludes zero, else "no difference shown" with what the difference may still be. One seed
// gives no interval and hence no judgement; of two it says that the interval is wide.
std::string verdict_on(const std::string& method, const std::string& baseline, const Interval& difference);

// "+2.0 AP [0.5, 3.5]", in points of 100; with a further decimal where rounding would hide on which side of zero an end
// lies.
std::string difference_text(const Interval& difference);

// Fills the verdict of each summary, `verdicts` and `notes`. REQUIRES: summaries.
void judge(Comparison& comparison);

}  // namespace conclave
