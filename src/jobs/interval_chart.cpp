#include "jobs/interval_chart.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "jobs/html.h"
#include "jobs/interval_text.h"
#include "jobs/svg_chart.h"

namespace conclave {
namespace {

constexpr double kWidth = 190, kHeight = 26, kMargin = 12;

std::string print(const char* format, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, format, value);
  return buffer;
}

std::string line(const char* kind, double x0, double y0, double x1, double y1) {
  return std::string("<line class=\"") + kind + "\" x1=\"" + print("%.1f", x0) + "\" y1=\"" + print("%.1f", y0) +
         "\" x2=\"" + print("%.1f", x1) + "\" y2=\"" + print("%.1f", y1) + "\"/>";
}

std::string opening(const std::string& attributes) {
  return "<svg class=\"whisker\" viewBox=\"0 0 " + print("%g", kWidth) + " " + print("%g", kHeight) + "\" width=\"" +
         print("%g", kWidth) + "\" height=\"" + print("%g", kHeight) + "\"" + attributes + ">";
}

}  // namespace

void IntervalScale::include(double value) {
  if (!std::isfinite(value)) return;
  low_ = empty_ ? value : std::min(low_, value);
  high_ = empty_ ? value : std::max(high_, value);
  empty_ = false;
}

void IntervalScale::add(const Interval& interval, const std::vector<double>& values) {
  for (const double value : {interval.mean, interval.low, interval.high}) include(value);
  for (const double value : values) include(value);
}

std::vector<double> IntervalScale::ticks() const {
  return nice_ticks(low_, high_, 4);
}

double IntervalScale::place(double value) const {
  const std::vector<double> marks = ticks();
  return kMargin + (kWidth - 2 * kMargin) * (value - marks.front()) / (marks.back() - marks.front());
}

std::string IntervalScale::row_html(const Interval& interval, const std::vector<double>& values, int style,
                                    double reference) const {
  if (empty_ || !std::isfinite(interval.mean)) return {};
  const double middle = 10, below = 20;  // the mean with its whiskers, and the single values under it
  const int decimals = decimals_of(interval);
  std::string words = number_text(interval.mean, decimals);
  if (interval.bounded()) {
    words += ", " + number_text(interval.low, decimals) + " to " + number_text(interval.high, decimals);
  }
  std::string out = opening(" role=\"img\" aria-label=\"" + escape_html(words) + "\"");
  for (const double tick : ticks()) out += line("grid", place(tick), 0, place(tick), kHeight);
  if (std::isfinite(reference)) out += line("zero", place(reference), 0, place(reference), kHeight);
  out += "<g class=\"" + style_class(style) + "\">";
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    out += "<circle class=\"seed\" cx=\"" + print("%.1f", place(value)) + "\" cy=\"" + print("%g", below) +
           "\" r=\"2.5\"/>";
  }
  if (interval.bounded()) {
    const double low = place(interval.low), high = place(interval.high);
    out += line("reach", low, middle, high, middle) + line("reach", low, middle - 4, low, middle + 4) +
           line("reach", high, middle - 4, high, middle + 4);
  }
  return out + "<circle class=\"dot\" cx=\"" + print("%.1f", place(interval.mean)) + "\" cy=\"" + print("%g", middle) +
         "\" r=\"4\"><title>" + escape_html(words) + "</title></circle></g></svg>";
}

std::string IntervalScale::axis_html() const {
  if (empty_) return {};
  std::string out = opening(" aria-hidden=\"true\"");
  for (const double tick : ticks()) {
    out += line("grid", place(tick), 0, place(tick), 5) + "<text text-anchor=\"middle\" x=\"" +
           print("%.1f", place(tick)) + "\" y=\"17\">" + escape_html(tick_text(tick)) + "</text>";
  }
  return out + "</svg>";
}

}  // namespace conclave
