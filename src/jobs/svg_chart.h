#pragma once

#include <string>
#include <utility>
#include <vector>

namespace conclave {

// Which colour and pattern a line has: number n has the page's n-th colour, from the ninth on dashed, from the 17th on
// dotted. One number per method keeps its look through a page.
inline constexpr int kByPosition = -1;  // the series' place in the chart
inline constexpr int kReference = -2;   // grey and thin: something to compare with

// One line. x ascending; x and y of equal length. A value that is not finite (or not positive on a log axis) is a gap.
// low and high, where given, are a band around it.
struct Series {
  std::string name;
  std::vector<double> x, y;
  std::vector<double> low = {}, high = {};
  int style = kByPosition;
};

struct ChartOptions {
  std::string title = {};
  std::string x_label = "step";
  std::string y_label = {};  // a unit
  bool log_y = false;
  bool from_zero = false;    // the y axis starts at 0 (linear axes)
  bool dots = false;         // a mark at every point: few points, or points that are measurements of their own
  bool legend = true;        // below the chart, with each line's last value; else the caller gives one
  bool unit_square = false;  // both axes from 0 to 1, a square drawing
};

// The class attribute's value for a style: "series-3", "series-1 dashed".
std::string style_class(int style);

// A short line in the style, to stand before a name.
std::string chip_html(int style);

// Names with their chips, for charts that share a legend.
std::string legend_html(const std::vector<std::pair<std::string, int>>& entries);

// Round numbers (1, 2 or 5 times a power of ten apart) from the last at or below `low` to the first at or above `high`;
// about `count` of them, at least two. Equal or swapped bounds are widened. REQUIRES: finite bounds.
std::vector<double> nice_ticks(double low, double high, int count = 5);

// Enclose [low, high]: 1, 2 and 5 times powers of ten up to a ratio of 200, above that at most seven powers.
// REQUIRES: 0 < low <= high, finite.
std::vector<double> log_ticks(double low, double high);

// Short: "0", "0.05", "1500", "20k", "2e-05".
std::string tick_text(double value);

// At most `limit` points: neighbours are replaced by their mean, gaps stay gaps. Keeps short series as they are.
Series thinned(const Series& series, std::size_t limit);

// A figure with title, axes, lines and a legend that gives each line's last value. Series without a single drawable
// point are left out; empty when none is left.
std::string line_chart_html(const std::vector<Series>& series, const ChartOptions& options);

// Figures in a grid; empty without any.
std::string charts_html(const std::string& figures_html);

}  // namespace conclave
