#pragma once

#include <string>

#include "jobs/comparison.h"

namespace conclave {

// A method against the baseline in words, from the paired interval of their difference in AP: "better" or "worse" only
// where the interval excludes zero, else "no difference in AP shown" with what the difference may still be. One seed
// gives no interval and hence no judgement; of two it says that the interval is wide.
std::string verdict_on(const std::string& method, const std::string& baseline, const Interval& difference);

// "+2.0 AP [+0.5, +3.5]", in points of 100, of the score that is named (interval_text.h).
std::string difference_text(const Interval& difference, const std::string& score);

// Fills the verdict of each summary, `verdicts` and `notes`. REQUIRES: summaries, pairs and gap.
void judge(Comparison& comparison);

}  // namespace conclave
