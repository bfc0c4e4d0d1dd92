#pragma once

#include <string>
#include <vector>

namespace conclave {

// One line. x ascending; x and y of equal length. A value that is not finite (or not positive on a log axis) is a gap.
struct Series {
  std::string name;
  std::vector<double> x, y;
};

struct ChartOptions {
  std::string title = {};
  std::string x_label = "step";
  std::string y_label = {};  // a unit
  bool log_y = false;
  bool from_zero = false;  // the y axis starts at 0 (linear axes)
  bool dots = false;       // a mark at every point: few points, or points that are measurements of their own
};

// Round numbers (1, 2 or 5 times a power of ten apart) from the last at or below `low` to the first at or above `high`;
// about `count` of them, at least two. Equal or swapped bounds are widened. REQUIRES: finite bounds.
std::vector<double> nice_ticks(double low, double high, int count = 5);

// Enclose [low, high]: 1, 2 and 5 times powers of ten up to a ratio of 200, above that at most seven powers.
// REQUIRES: 0 < low <= high, finite.
// high.
std::vector<double> log_ticks(double low, double high);

// Short: "0", "0.05", "1500", "20k", "2e-05".
std::string tick_text(double value);

// At most `limit` points: neighbours are replaced by their mean, gaps stay gaps. Keeps short series as they are.
Series thinned(const Series& series, std::size_t limit);

// A figure with title, axes, lines and a legend that gives each line's last value. Series without a single drawable
// point are left out; empty when none is left. Colours are the page's .series-N classes; from the ninth on they repeat,
// dashed.
std::string line_chart_html(const std::vector<Series>& series, const ChartOptions& options);

}  // namespace conclave
