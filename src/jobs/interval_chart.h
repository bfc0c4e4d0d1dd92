#pragma once

#include <string>
#include <vector>

#include "jobs/statistics.h"

namespace conclave {

// Dots with whiskers on one scale, a small drawing per table row: the mean as a dot, its interval as a line, the single
// values as faint dots below it. Values and scale are in the unit that is shown (points of 100, say).
class IntervalScale {
 public:
  // Wide enough for everything that add() is told of, and for the reference line.
  void add(const Interval& interval, const std::vector<double>& values = {});
  void include(double value);

  // Empty without a mean. A reference line is drawn at `reference` where it is not NaN. `style`: as in svg_chart.h.
  std::string row_html(const Interval& interval, const std::vector<double>& values, int style,
                       double reference = Interval::kNone) const;
  // The scale's numbers, for a row below the others.
  std::string axis_html() const;

 private:
  double place(double value) const;
  std::vector<double> ticks() const;

  double low_ = 0, high_ = 0;
  bool empty_ = true;
};

}  // namespace conclave
