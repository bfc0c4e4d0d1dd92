#include "jobs/quality_sections.h"

#include <algorithm>
#include <cmath>

#include "jobs/html.h"
#include "jobs/statistics.h"
#include "jobs/svg_chart.h"

namespace conclave {
namespace {

const ClassQuality* class_of(const DetectorQuality& detector, const std::string& name) {
  const auto found = detector.per_class.find(name);
  return found == detector.per_class.end() ? nullptr : &found->second;
}

// What the column's detectors know of a class.
std::vector<const ClassQuality*> of_class(const QualityColumn& column, const std::string& name) {
  std::vector<const ClassQuality*> known;
  for (const DetectorQuality* detector : column.detectors) {
    if (const ClassQuality* quality = class_of(*detector, name)) known.push_back(quality);
  }
  return known;
}

// Means of the precision over the detectors, at every recall that all of them reach.
Series curve_of(const QualityColumn& column, const std::string& cls) {
  Series series{column.name, {}, {}, {}, {}, column.style};
  const auto known = of_class(column, cls);
  if (known.empty()) return series;
  std::size_t points = known.front()->precision.size();
  for (const ClassQuality* quality : known) points = std::min(points, quality->precision.size());
  if (points < 2) return series;
  for (std::size_t i = 0; i < points; ++i) {
    double sum = 0;
    for (const ClassQuality* quality : known) sum += quality->precision[i];
    series.x.push_back(static_cast<double>(i) / static_cast<double>(points - 1));
    series.y.push_back(sum / static_cast<double>(known.size()));
  }
  return series;
}

// Bins of all detectors of the column together, by tenths of the score.
Series reliability_of(const QualityColumn& column, const std::string& cls) {
  constexpr std::size_t kBins = 10;
  double score[kBins] = {}, right[kBins] = {}, count[kBins] = {};
  for (const ClassQuality* quality : of_class(column, cls)) {
    for (const ReliabilityBin& bin : quality->bins) {
      if (!(bin.score >= 0 && bin.score <= 1) || bin.count <= 0) continue;
      const std::size_t at = std::min(kBins - 1, static_cast<std::size_t>(bin.score * kBins));
      const auto n = static_cast<double>(bin.count);
      score[at] += n * bin.score;
      right[at] += n * bin.precision;
      count[at] += n;
    }
  }
  Series series{column.name, {}, {}, {}, {}, column.style};
  for (std::size_t b = 0; b < kBins; ++b) {
    if (count[b] <= 0) continue;
    series.x.push_back(score[b] / count[b]);
    series.y.push_back(right[b] / count[b]);
  }
  return series;
}

std::string legend_of(const std::vector<QualityColumn>& columns) {
  std::vector<std::pair<std::string, int>> entries;
  for (const QualityColumn& column : columns) entries.emplace_back(column.name, column.style);
  return legend_html(entries);
}

std::string square_charts(const std::vector<QualityColumn>& columns, const std::vector<std::string>& classes,
                          Series (*series_of)(const QualityColumn&, const std::string&), const ChartOptions& options,
                          const std::vector<Series>& behind) {
  std::string charts;
  for (const std::string& cls : classes) {
    std::vector<Series> series;
    for (const QualityColumn& column : columns) series.push_back(series_of(column, cls));
    const bool any = std::any_of(series.begin(), series.end(), [](const Series& s) {
      return std::any_of(s.y.begin(), s.y.end(), [](double y) { return std::isfinite(y); });
    });
    if (!any) continue;
    series.insert(series.begin(), behind.begin(), behind.end());
    ChartOptions own = options;
    own.title = cls;
    charts += line_chart_html(series, own);
  }
  if (charts.empty()) return {};
  return legend_of(columns) + "<div class=\"charts squares\">\n" + charts + "</div>\n";
}

double mean_of(const std::vector<const ClassQuality*>& known, double ThresholdQuality::*field) {
  std::vector<double> values;
  for (const ClassQuality* quality : known) {
    if (quality->threshold) values.push_back((*quality->threshold).*field);
  }
  return mean(values);
}

bool all_found(const std::vector<const ClassQuality*>& known) {
  return std::all_of(known.begin(), known.end(),
                     [](const ClassQuality* q) { return q->threshold && q->threshold->found; });
}

bool has_thresholds(const QualityColumn& column) {
  return std::any_of(column.detectors.begin(), column.detectors.end(), [](const DetectorQuality* detector) {
    return std::any_of(detector->per_class.begin(), detector->per_class.end(),
                       [](const auto& entry) { return entry.second.threshold.has_value(); });
  });
}

std::string named(const QualityColumn& column) {
  return chip_html(column.style) + escape_html(column.name);
}

}  // namespace

std::string precision_recall_html(const std::vector<QualityColumn>& columns, const std::vector<std::string>& classes) {
  ChartOptions options;
  options.x_label = "recall";
  options.y_label = "precision";
  options.legend = false;
  options.unit_square = true;
  return square_charts(columns, classes, curve_of, options, {});
}

std::string thresholds_html(const std::vector<QualityColumn>& columns, const std::vector<std::string>& classes,
                            const std::string& chosen_on, const std::string& shown_on) {
  std::vector<Column> heads = {{"", false, ""}};
  std::vector<std::string> shown;
  for (const std::string& cls : classes) {
    for (const QualityColumn& column : columns) {
      if (std::isnan(mean_of(of_class(column, cls), &ThresholdQuality::score))) continue;
      shown.push_back(cls);
      break;
    }
  }
  if (shown.empty()) return {};
  for (const std::string& cls : shown) {
    for (const char* what : {"score", "precision", "recall", "F1"}) heads.push_back({what, true, cls});
  }
  std::vector<std::vector<std::string>> rows;
  bool fixed = false;
  for (const QualityColumn& column : columns) {
    if (!has_thresholds(column)) continue;
    std::vector<std::string> row = {named(column)};
    for (const std::string& cls : shown) {
      const auto known = of_class(column, cls);
      const double score = mean_of(known, &ThresholdQuality::score);
      const bool found = all_found(known);
      if (!std::isnan(score)) fixed |= !found;
      row.push_back(number_text(score, 2) + (found || std::isnan(score) ? "" : "*"));
      row.push_back(number_text(100 * mean_of(known, &ThresholdQuality::precision), 1));
      row.push_back(number_text(100 * mean_of(known, &ThresholdQuality::recall), 1));
      row.push_back(number_text(100 * mean_of(known, &ThresholdQuality::f1), 1));
    }
    rows.push_back(std::move(row));
  }
  std::string note = chosen_on.empty() ? "There is no set to choose on" : "Chosen on " + chosen_on + " for the best F1";
  if (!shown_on.empty()) note += "; what it gives is of " + shown_on;
  note += ". Precision, recall and F1 in percent at IoU 0.5.";
  if (fixed) note += " *: fixed, for at least one run.";
  return "<div class=\"card\">" + table_html(heads, rows) + "</div>\n<p class=\"note\">" + escape_html(note) + "</p>\n";
}

std::string calibration_html(const std::vector<QualityColumn>& columns, const std::vector<std::string>& classes) {
  ChartOptions options;
  options.x_label = "score";
  options.y_label = "share of detections that are right";
  options.legend = false;
  options.unit_square = true;
  options.dots = columns.size() <= 4;
  Series diagonal{"perfectly calibrated", {0, 1}, {0, 1}, {}, {}, kReference};
  const std::string charts = square_charts(columns, classes, reliability_of, options, {diagonal});
  if (charts.empty()) return {};
  std::vector<Column> heads = {{"", false, ""}};
  for (const std::string& cls : classes) heads.push_back({cls, true, "expected calibration error, %"});
  std::vector<std::vector<std::string>> rows;
  for (const QualityColumn& column : columns) {
    std::vector<std::string> row = {named(column)};
    for (const std::string& cls : classes) {
      std::vector<double> errors;
      for (const ClassQuality* quality : of_class(column, cls)) {
        if (!std::isnan(quality->calibration_error)) errors.push_back(quality->calibration_error);
      }
      row.push_back(number_text(100 * mean(errors), 1));
    }
    rows.push_back(std::move(row));
  }
  return charts + "<div class=\"card below\">" + table_html(heads, rows) +
         "</div>\n<p class=\"note\">Of detections scored 0.05 or more. Below the diagonal scores promise too much, "
         "above "
         "it too little.</p>\n";
}

}  // namespace conclave
