#include "jobs/method_curves.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "jobs/svg_chart.h"

namespace conclave {
namespace {

using Points = std::vector<std::pair<std::int64_t, double>>;  // step and value; NaN: none

// Mean, lowest and highest over the runs, at every step of any of them.
Series over_runs(const LearningColumn& column, const std::function<Points(const RunMetrics&)>& points_of) {
  std::map<std::int64_t, std::vector<double>> by_step;
  for (const RunMetrics* run : column.runs) {
    for (const auto& [step, value] : points_of(*run)) {
      if (std::isfinite(value)) by_step[step].push_back(value);
    }
  }
  Series series{column.name, {}, {}, {}, {}, column.style};
  const bool band = column.runs.size() > 1;
  for (const auto& [step, values] : by_step) {
    double sum = 0;
    for (const double value : values) sum += value;
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    series.x.push_back(static_cast<double>(step));
    series.y.push_back(sum / static_cast<double>(values.size()));
    if (!band) continue;
    series.low.push_back(*low);
    series.high.push_back(*high);
  }
  return series;
}

double percent(double ap) {
  return ap >= 0 ? 100 * ap : std::nan("");
}

// The AP of a class, of all where the name is empty.
Points accuracy(const RunMetrics& run, const std::string& set, const std::string& cls) {
  Points points;
  for (const EvaluationRow& row : run.evaluations) {
    if (row.set != set) continue;
    if (cls.empty()) {
      points.emplace_back(row.step, percent(row.all.ap));
    } else if (const auto own = row.per_class.find(cls); own != row.per_class.end()) {
      points.emplace_back(row.step, percent(own->second.ap));
    }
  }
  return points;
}

Points losses(const RunMetrics& run) {
  Points points;
  for (const TrainingRow& row : run.training) points.emplace_back(row.step, row.loss);
  return points;
}

std::vector<std::string> sets_of(const std::vector<LearningColumn>& columns) {
  std::vector<std::string> sets;
  for (const LearningColumn& column : columns) {
    for (const RunMetrics* run : column.runs) {
      for (const EvaluationRow& row : run->evaluations) {
        if (std::find(sets.begin(), sets.end(), row.set) == sets.end()) sets.push_back(row.set);
      }
    }
  }
  return sets;
}

}  // namespace

std::string method_curves_html(const std::vector<LearningColumn>& columns, const std::vector<std::string>& classes) {
  std::string charts;
  const auto chart = [&](const std::string& title, const std::string& unit, bool log_y,
                         const std::function<Points(const RunMetrics&)>& points_of) {
    std::vector<Series> series;
    for (const LearningColumn& column : columns) series.push_back(over_runs(column, points_of));
    ChartOptions options;
    options.title = title;
    options.y_label = unit;
    options.log_y = log_y;
    options.legend = false;
    charts += line_chart_html(series, options);
  };
  for (const std::string& set : sets_of(columns)) {
    const std::string on = set.empty() ? "" : " on " + set;
    std::vector<std::string> shown = {""};
    shown.insert(shown.end(), classes.begin(), classes.end());
    for (const std::string& cls : shown) {
      chart((cls.empty() ? "Mean AP" : "AP of " + cls) + on, "%", false,
            [&](const RunMetrics& run) { return accuracy(run, set, cls); });
    }
  }
  chart("Loss", "each method has its own, not comparable", true, losses);
  if (charts.empty()) return {};
  std::vector<std::pair<std::string, int>> entries;
  for (const LearningColumn& column : columns) entries.emplace_back(column.name, column.style);
  return legend_html(entries) + charts_html(charts) +
         "<p class=\"note\">Means over the seeds; the bands reach from the lowest to the highest.</p>\n";
}

}  // namespace conclave
