#include "jobs/svg_chart.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "jobs/html.h"

namespace conclave {
namespace {

// The drawing in its own units; the page scales it. Small enough that its text stays legible on a telephone.
constexpr double kWidth = 440, kHeight = 240;
constexpr double kLeft = 44, kRight = 18, kTop = 14, kBottom = 34;
constexpr double kSquare = 300;  // of a square drawing, both sides
constexpr int kColours = 8;
constexpr std::size_t kMostPoints = 400;

std::string print(const char* format, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, format, value);
  return buffer;
}

struct Axis {
  std::vector<double> ticks;
  bool log = false;
  double from = 0, to = 1;  // drawing units of the first and the last tick

  double place(double value) const {
    const auto scale = [&](double v) { return log ? std::log10(v) : v; };
    const double low = scale(ticks.front()), high = scale(ticks.back());
    return from + (to - from) * (scale(value) - low) / (high - low);
  }
};

bool drawable(double x, double y, bool log) {
  return std::isfinite(x) && std::isfinite(y) && (!log || y > 0);
}

struct Bounds {
  double x0 = std::numeric_limits<double>::infinity(), x1 = -x0, y0 = x0, y1 = -x0;
};

Bounds bounds_of(const std::vector<Series>& series, bool log) {
  Bounds b;
  for (const Series& s : series) {
    for (std::size_t i = 0; i < s.x.size(); ++i) {
      if (!drawable(s.x[i], s.y[i], log)) continue;
      b.x0 = std::min(b.x0, s.x[i]);
      b.x1 = std::max(b.x1, s.x[i]);
      b.y0 = std::min(b.y0, s.y[i]);
      b.y1 = std::max(b.y1, s.y[i]);
      if (i < s.low.size() && drawable(s.x[i], s.low[i], log)) b.y0 = std::min(b.y0, s.low[i]);
      if (i < s.high.size() && drawable(s.x[i], s.high[i], log)) b.y1 = std::max(b.y1, s.high[i]);
    }
  }
  return b;
}

std::string line(const char* kind, double x0, double y0, double x1, double y1) {
  return std::string("<line class=\"") + kind + "\" x1=\"" + print("%.1f", x0) + "\" y1=\"" + print("%.1f", y0) +
         "\" x2=\"" + print("%.1f", x1) + "\" y2=\"" + print("%.1f", y1) + "\"/>";
}

std::string label(const char* anchor, double x, double y, const std::string& words) {
  return std::string("<text text-anchor=\"") + anchor + "\" x=\"" + print("%.1f", x) + "\" y=\"" + print("%.1f", y) +
         "\">" + escape_html(words) + "</text>";
}

std::string axes_svg(const Axis& x, const Axis& y, const ChartOptions& options) {
  std::string out;
  for (double tick : y.ticks) {
    const double at = y.place(tick);
    out += line(tick == y.ticks.front() ? "axis" : "grid", x.from, at, x.to, at);
    out += label("end", x.from - 6, at + 4, tick_text(tick));
  }
  for (double tick : x.ticks) {
    const double at = x.place(tick);
    out += line("axis", at, y.from, at, y.from + 4);
    out += label("middle", at, y.from + 16, tick_text(tick));
  }
  return out + label("middle", (x.from + x.to) / 2, y.from + kBottom - 4, options.x_label);
}

// The band where both of its edges are known, as one outline per unbroken stretch.
std::string band_svg(const Series& s, const Axis& x, const Axis& y) {
  std::string path, back;
  const auto close = [&] {
    if (!path.empty() && !back.empty()) path += back + "Z";
    back.clear();
  };
  std::string whole;
  bool down = false;
  for (std::size_t i = 0; i < s.x.size(); ++i) {
    const bool known = i < s.low.size() && i < s.high.size() && drawable(s.x[i], s.low[i], y.log) &&
                       drawable(s.x[i], s.high[i], y.log);
    if (!known) {
      if (down) {
        close();
        whole += path;
        path.clear();
      }
      down = false;
      continue;
    }
    const std::string px = print("%.1f", x.place(s.x[i]));
    path += std::string(down ? "L" : "M") + px + " " + print("%.1f", y.place(s.high[i]));
    back = "L" + px + " " + print("%.1f", y.place(s.low[i])) + back;
    down = true;
  }
  if (down) {
    close();
    whole += path;
  }
  return whole.empty() ? whole : "<path class=\"band\" d=\"" + whole + "\"/>";
}

std::string series_svg(const Series& s, const Axis& x, const Axis& y, bool dots) {
  std::string path, marks;
  bool down = false;
  for (std::size_t i = 0; i < s.x.size(); ++i) {
    if (!drawable(s.x[i], s.y[i], y.log)) {
      down = false;
      continue;
    }
    const std::string px = print("%.1f", x.place(s.x[i])), py = print("%.1f", y.place(s.y[i]));
    path += std::string(down ? "L" : "M") + px + " " + py;
    down = true;
    const bool alone = (i == 0 || !drawable(s.x[i - 1], s.y[i - 1], y.log)) &&
                       (i + 1 == s.x.size() || !drawable(s.x[i + 1], s.y[i + 1], y.log));
    if (dots || alone) {
      marks += "<circle class=\"dot\" cx=\"" + px + "\" cy=\"" + py + "\" r=\"3.5\"><title>" + escape_html(s.name) +
               ": " + print("%.4g", s.y[i]) + " at " + print("%.6g", s.x[i]) + "</title></circle>";
    }
  }
  return "<g class=\"" + style_class(s.style) + "\">" + band_svg(s, x, y) + "<path class=\"series\" d=\"" + path +
         "\"><title>" + escape_html(s.name) + "</title></path>" + marks + "</g>";
}

std::string last_values_html(const std::vector<Series>& series, bool log) {
  std::string out = "<ul class=\"legend\">";
  for (const Series& s : series) {
    std::size_t last = s.y.size();
    while (!drawable(s.x[last - 1], s.y[last - 1], log)) --last;
    out += "<li>" + chip_html(s.style) + "<span>" + escape_html(s.name) + "</span><b>" + print("%.4g", s.y[last - 1]) +
           "</b></li>";
  }
  return out + "</ul>";
}

}  // namespace

std::string style_class(int style) {
  if (style < 0) return "series-ref";
  const int round = style / kColours;
  return "series-" + std::to_string(style % kColours) + (round == 0 ? "" : round == 1 ? " dashed" : " dotted");
}

std::string chip_html(int style) {
  return "<i class=\"chip " + style_class(style) + "\"></i>";
}

std::string legend_html(const std::vector<std::pair<std::string, int>>& entries) {
  std::string out = "<ul class=\"legend\">";
  for (const auto& [name, style] : entries) {
    out += "<li>" + chip_html(style) + "<span>" + escape_html(name) + "</span></li>";
  }
  return out + "</ul>\n";
}

std::vector<double> nice_ticks(double low, double high, int count) {
  if (low > high) std::swap(low, high);
  if (high - low <= 1e-12 * std::max(std::abs(low), std::abs(high))) {
    const double by = low == 0 ? 1 : std::abs(low) * 0.1;
    low -= by;
    high += by;
  }
  const double raw = (high - low) / std::max(1, count - 1);
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double lead = raw / power;
  const double step = power * (lead <= 1.5 ? 1 : lead <= 3 ? 2 : lead <= 7 ? 5 : 10);
  const auto first = static_cast<long long>(std::floor(low / step + 1e-9));
  const auto last = static_cast<long long>(std::ceil(high / step - 1e-9));
  std::vector<double> ticks;
  for (long long i = first; i <= last; ++i) ticks.push_back(static_cast<double>(i) * step);
  return ticks;
}

std::vector<double> log_ticks(double low, double high) {
  const int first = static_cast<int>(std::floor(std::log10(low) + 1e-9));
  const int last = std::max(first + 1, static_cast<int>(std::ceil(std::log10(high) - 1e-9)));
  std::vector<double> ticks;
  if (high > 200 * low) {
    const int every = (last - first + 5) / 6;
    for (int p = first; p < last + every; p += every) ticks.push_back(std::pow(10.0, p));
    return ticks;
  }
  for (int p = first; p <= last; ++p) {
    for (const double lead : {1.0, 2.0, 5.0}) ticks.push_back(lead * std::pow(10.0, p));
  }
  // Only the innermost of those that still enclose the bounds.
  const auto above = std::find_if(ticks.begin(), ticks.end(), [&](double t) { return t > low * (1 + 1e-9); });
  const auto begin = above == ticks.begin() ? above : above - 1;
  auto end = std::find_if(begin + 1, ticks.end(), [&](double t) { return t >= high * (1 - 1e-9); });
  if (end == ticks.end()) --end;
  return {begin, end + 1};
}

std::string tick_text(double value) {
  const double size = std::abs(value);
  if (size < 1e-15) return "0";
  if (size >= 1e9 || size < 1e-3) return print("%.4g", value);
  if (size >= 1e6) return print("%.6gM", value / 1e6);
  if (size >= 1e4) return print("%.6gk", value / 1e3);
  return print("%.6g", value);
}

Series thinned(const Series& series, std::size_t limit) {
  if (series.x.size() <= limit) return series;
  Series out;
  out.name = series.name;
  out.style = series.style;
  const std::size_t group = (series.x.size() + limit - 1) / limit;
  for (std::size_t i = 0; i < series.x.size(); i += group) {
    const std::size_t end = std::min(i + group, series.x.size());
    double x = 0, y = 0, low = 0, high = 0;  // the band's are NaN as soon as one of the group is
    std::size_t n = 0;
    for (std::size_t k = i; k < end; ++k) {
      if (!std::isfinite(series.y[k])) continue;
      x += series.x[k];
      y += series.y[k];
      if (!series.low.empty()) low += series.low[k];
      if (!series.high.empty()) high += series.high[k];
      ++n;
    }
    const auto points = static_cast<double>(n);
    out.x.push_back(n > 0 ? x / points : series.x[i]);
    out.y.push_back(n > 0 ? y / points : std::numeric_limits<double>::quiet_NaN());
    if (!series.low.empty()) out.low.push_back(low / points);
    if (!series.high.empty()) out.high.push_back(high / points);
  }
  return out;
}

std::string line_chart_html(const std::vector<Series>& series, const ChartOptions& options) {
  std::vector<Series> drawn;
  for (const Series& s : series) {
    Series thin = thinned(s, kMostPoints);
    bool any = false;
    for (std::size_t i = 0; i < thin.x.size(); ++i) any |= drawable(thin.x[i], thin.y[i], options.log_y);
    if (!any) continue;
    if (thin.style == kByPosition) thin.style = static_cast<int>(drawn.size());
    drawn.push_back(std::move(thin));
  }
  if (drawn.empty()) return {};

  const double width = options.unit_square ? kSquare : kWidth, height = options.unit_square ? kSquare : kHeight;
  Axis x, y;
  if (options.unit_square) {
    x.ticks = y.ticks = nice_ticks(0, 1, 6);
  } else {
    Bounds b = bounds_of(drawn, options.log_y);
    if (options.from_zero && !options.log_y) b.y0 = std::min(0.0, b.y0);
    x.ticks = nice_ticks(b.x0, b.x1, 6);
    y.ticks = options.log_y ? log_ticks(b.y0, b.y1) : nice_ticks(b.y0, b.y1, 5);
  }
  x.from = kLeft;
  x.to = width - kRight;
  y.log = options.log_y;
  y.from = height - kBottom;
  y.to = kTop;

  std::string out = "<figure class=\"card chart\"><h3>" + escape_html(options.title);
  if (!options.y_label.empty()) out += "<span class=\"note\">, " + escape_html(options.y_label) + "</span>";
  out += "</h3><svg viewBox=\"0 0 " + print("%g", width) + " " + print("%g", height) + "\" role=\"img\" aria-label=\"" +
         escape_html(options.title) + "\">" + axes_svg(x, y, options);
  for (const Series& s : drawn) out += series_svg(s, x, y, options.dots);
  return out + "</svg>" + (options.legend ? last_values_html(drawn, options.log_y) : "") + "</figure>\n";
}

std::string charts_html(const std::string& figures_html) {
  return figures_html.empty() ? figures_html : "<div class=\"charts\">\n" + figures_html + "</div>\n";
}

}  // namespace conclave
