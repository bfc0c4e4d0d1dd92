#pragma once

#include <string>

#include "jobs/statistics.h"

namespace conclave {

// Intervals as text, in the unit that they are in (points of 100, say).

Interval scaled(const Interval& interval, double by);

// So many decimals that no end that differs from zero is written as zero: one, at most three.
int decimals_of(const Interval& interval);

// "2.0", "-0.5", and never "-0.0". NaN: "–".
std::string plain_number(double value, int decimals);

// With a sign where it is not zero: "+2.0", "-0.5", "0.0". NaN: "–".
std::string signed_number(double value, int decimals);

// The same for a mean and the ends of its interval, all with decimals_of(). low and high are empty where there are no
// ends, mean is "–" where there is none.
struct SignedInterval {
  std::string mean, low, high;
};
SignedInterval signed_interval(const Interval& interval);

}  // namespace conclave
