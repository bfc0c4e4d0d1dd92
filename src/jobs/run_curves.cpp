#include "jobs/run_curves.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "jobs/html.h"

namespace conclave {
namespace {

std::vector<Series> term_series(const RunMetrics& metrics) {
  std::vector<Series> out;
  for (const TrainingRow& row : metrics.training) {
    for (const auto& [name, value] : row.terms) {
      auto it = std::find_if(out.begin(), out.end(), [&, &term = name](const Series& s) { return s.name == term; });
      if (it == out.end()) it = out.insert(out.end(), Series{name, {}, {}});
      it->x.push_back(static_cast<double>(row.step));
      it->y.push_back(value);
    }
  }
  return out;
}

void add_point(Series& series, std::int64_t step, double ap) {
  series.x.push_back(static_cast<double>(step));
  series.y.push_back(ap >= 0 ? 100 * ap : std::nan(""));
}

std::string accuracy_charts(const RunMetrics& metrics, const std::vector<std::string>& order) {
  std::vector<std::string> sets;
  for (const EvaluationRow& row : metrics.evaluations) {
    if (std::find(sets.begin(), sets.end(), row.set) == sets.end()) sets.push_back(row.set);
  }
  std::string out;
  for (const std::string& set : sets) {
    Series ap{"AP", {}, {}}, ap50{"AP50", {}, {}};
    std::map<std::string, Series> per_class;
    for (const EvaluationRow& row : metrics.evaluations) {
      if (row.set != set) continue;
      add_point(ap, row.step, row.all.ap);
      add_point(ap50, row.step, row.all.ap50);
      for (const auto& [name, numbers] : row.per_class) {
        per_class[name].name = name;
        add_point(per_class[name], row.step, numbers.ap50);
      }
    }
    const std::string on = set.empty() ? "" : " on " + set;
    std::vector<Series> classes;
    for (auto& [name, series] : per_class) classes.push_back(std::move(series));
    const auto rank = [&](const Series& s) { return std::find(order.begin(), order.end(), s.name) - order.begin(); };
    std::stable_sort(classes.begin(), classes.end(), [&](auto& a, auto& b) { return rank(a) < rank(b); });
    out += line_chart_html({ap, ap50}, {"AP" + on, "step", "%", false, true, true});
    out += line_chart_html(classes, {"AP50 per class" + on, "step", "%", false, true, true});
  }
  return out;
}

}  // namespace

Series by_step(const RunMetrics& metrics, const std::string& name, double TrainingRow::*field) {
  Series series{name, {}, {}};
  for (const TrainingRow& row : metrics.training) {
    series.x.push_back(static_cast<double>(row.step));
    series.y.push_back(row.*field);
  }
  return series;
}

std::string run_curves_html(const RunMetrics& metrics, const std::vector<std::string>& classes) {
  std::string charts = line_chart_html({by_step(metrics, "total", &TrainingRow::loss)}, {"Loss", "step", "", true});
  charts += line_chart_html(term_series(metrics), {"Terms of the loss", "step", "", true});
  charts += accuracy_charts(metrics, classes);
  charts += line_chart_html({by_step(metrics, "learning rate", &TrainingRow::lr)},
                            {"Learning rate", "step", "", false, true});
  charts += line_chart_html({by_step(metrics, "norm", &TrainingRow::grad_norm)}, {"Gradient norm", "step", "", true});
  std::string out = charts_html(charts);
  if (!metrics.note.empty()) out += "<p class=\"note\">" + escape_html(metrics.note) + "</p>\n";
  return out;
}

}  // namespace conclave
