#include "jobs/comparison_tables.h"

#include <algorithm>
#include <cmath>

#include "jobs/comparison_cost.h"
#include "jobs/comparison_notes.h"
#include "jobs/html.h"
#include "jobs/interval_chart.h"
#include "jobs/interval_text.h"
#include "jobs/svg_chart.h"

namespace conclave {
namespace {

using Rows = std::vector<std::vector<std::string>>;
const char* const kNothing = "–";
constexpr std::size_t kMostOpen = 6;  // classes whose tables stand open

// With the sign that other numbers of the page have.
std::string minus_html(const std::string& number) {
  return number.starts_with('-') ? "−" + number.substr(1) : number;
}

std::string named(const Comparison& comparison, std::size_t method) {
  const std::string& name = comparison.methods[method].name;
  std::string out = chip_html(static_cast<int>(method)) + escape_html(name);
  if (name == comparison.baseline) out += "<small>baseline</small>";
  return out;
}

// "50.5 ± 0.9": both ends are equally far from the mean.
std::string symmetric_html(const Interval& interval) {
  if (interval.n == 0) return kNothing;
  std::string out = number_text(interval.mean, 1);
  if (interval.bounded()) out += " <s>± " + number_text((interval.high - interval.low) / 2, 1) + "</s>";
  return out;
}

// In points of 100: "+2.0", and below it "+0.5 to +3.5".
std::string difference_html(const Interval& difference) {
  if (difference.n == 0) return kNothing;
  const SignedInterval text = signed_interval(scaled(difference, 100));
  const std::string mean = minus_html(text.mean);
  if (!difference.bounded()) return mean;
  return (difference.excludes_zero() ? "<b>" + mean + "</b>" : mean) + "<small>" + minus_html(text.low) + " to " +
         minus_html(text.high) + "</small>";
}

// AP of the method's single runs, on one class or (null) the mean over all.
std::vector<double> of_runs(const Comparison& comparison, std::size_t method, const std::string* cls) {
  std::vector<double> values;
  for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
    const ComparedRun& run = run_of(comparison, method, s);
    double ap = -1;
    if (run.state == RunState::kDone && run.record.student) {
      const StudentResult& student = *run.record.student;
      if (cls == nullptr) {
        if (student.all) ap = student.all->ap;
      } else if (const auto found = student.per_class.find(*cls); found != student.per_class.end()) {
        ap = found->second.ap;
      }
    }
    values.push_back(ap >= 0 ? 100 * ap : Interval::kNone);
  }
  return values;
}

// One score of every method: all classes, or class number `cls`.
std::string scores_html(const Comparison& comparison, int cls) {
  const auto summary_of = [&](std::size_t m) -> const ScoreSummary& {
    const MethodSummary& summary = comparison.summaries[m];
    return cls < 0 ? summary.all : summary.per_class.at(static_cast<std::size_t>(cls));
  };
  const std::string* name = cls < 0 ? nullptr : &comparison.classes[static_cast<std::size_t>(cls)];
  IntervalScale levels, differences;
  differences.include(0);
  bool any_difference = false;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    levels.add(scaled(summary_of(m).ap, 100), of_runs(comparison, m, name));
    differences.add(scaled(summary_of(m).ap_difference, 100));
    any_difference |= summary_of(m).ap_difference.n > 0;
  }
  std::vector<Column> columns = {{"Method", false, ""}, {"AP", true, ""}, {"", false, ""}, {"AP50", true, ""}};
  if (any_difference) {
    const std::string group = "difference to " + comparison.baseline;
    columns.push_back({"AP", true, group});
    columns.push_back({"", false, group});
    columns.push_back({"AP50", true, group});
  }
  Rows rows;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    const ScoreSummary& summary = summary_of(m);
    const int style = static_cast<int>(m);
    std::vector<std::string> row = {named(comparison, m), symmetric_html(scaled(summary.ap, 100)),
                                    levels.row_html(scaled(summary.ap, 100), of_runs(comparison, m, name), style),
                                    symmetric_html(scaled(summary.ap50, 100))};
    if (any_difference) {
      row.push_back(difference_html(summary.ap_difference));
      row.push_back(differences.row_html(scaled(summary.ap_difference, 100), {}, style, 0));
      row.push_back(difference_html(summary.ap50_difference));
    }
    rows.push_back(std::move(row));
  }
  std::vector<std::string> axis = {"", "", levels.axis_html(), ""};
  if (any_difference) axis.insert(axis.end(), {"", differences.axis_html(), ""});
  rows.push_back(std::move(axis));
  return table_html(columns, rows);
}

// Every method less every other: rows less columns.
std::string pair_matrix_html(const Comparison& comparison, Interval MethodPair::*score) {
  std::vector<Column> columns = {{"", false, ""}};
  Rows rows;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    columns.push_back({comparison.methods[m].name, true, ""});
    rows.push_back({named(comparison, m)});
    rows.back().resize(comparison.methods.size() + 1);
  }
  for (const MethodPair& pair : comparison.pairs) {
    const Interval& own = pair.*score;
    rows[pair.method][pair.other + 1] = difference_html(own);
    rows[pair.other][pair.method + 1] = difference_html({-own.mean, -own.high, -own.low, own.n});
  }
  return table_html(columns, rows);
}

// Classes of which a method has the score.
std::vector<std::size_t> classes_with(const Comparison& comparison, Interval ScoreSummary::*score) {
  std::vector<std::size_t> known;
  for (std::size_t c = 0; c < comparison.classes.size(); ++c) {
    const bool any = std::any_of(comparison.summaries.begin(), comparison.summaries.end(),
                                 [&](const MethodSummary& s) { return (s.per_class.at(c).*score).n > 0; });
    if (any) known.push_back(c);
  }
  return known;
}

// Students less their class's best teacher.
std::string less_teacher_html(const Comparison& comparison) {
  const std::vector<std::size_t> shown = classes_with(comparison, &ScoreSummary::ap50_less_teacher);
  if (shown.empty()) return {};
  std::vector<Column> columns = {{"Method", false, ""}};
  for (const std::size_t c : shown) {
    columns.push_back({"AP", true, comparison.classes[c]});
    columns.push_back({"AP50", true, comparison.classes[c]});
  }
  Rows rows;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    std::vector<std::string> row = {named(comparison, m)};
    for (const std::size_t c : shown) {
      const ScoreSummary& own = comparison.summaries[m].per_class[c];
      row.push_back(difference_html(own.ap_less_teacher));
      row.push_back(difference_html(own.ap50_less_teacher));
    }
    rows.push_back(std::move(row));
  }
  return "<div class=\"card below\"><h3>Student less teacher</h3>" + table_html(columns, rows) +
         "</div>\n<p class=\"note\">Points of AP of the student less those of its class's best teacher, paired by "
         "seed, with their 95 % interval; bold where it excludes zero.</p>\n";
}

}  // namespace

std::string score_table_html(const Comparison& comparison) {
  return "<div class=\"card\">" + scores_html(comparison, -1) + "</div>\n";
}

std::string pairs_html(const Comparison& comparison) {
  if (comparison.pairs.empty()) return {};
  return "<details class=\"card below pairs\"><summary>Every pair of methods</summary>\n<h3>AP</h3>" +
         pair_matrix_html(comparison, &MethodPair::ap) + "<h3>AP50</h3>" +
         pair_matrix_html(comparison, &MethodPair::ap50) +
         "<p class=\"note\">Mean over classes of the row less that of the column, in points, paired by seed, with the "
         "95 % interval; bold where it excludes zero.</p></details>\n";
}

std::string class_tables_html(const Comparison& comparison) {
  std::string out;
  if (comparison.classes.size() < 2) return out;
  for (std::size_t c = 0; c < comparison.classes.size(); ++c) {
    const std::string name = escape_html(comparison.classes[c]), table = scores_html(comparison, static_cast<int>(c));
    out += comparison.classes.size() > kMostOpen
               ? "<details class=\"card below\"><summary>" + name + "</summary>" + table + "</details>\n"
               : "<div class=\"card below\"><h3>" + name + "</h3>" + table + "</div>\n";
  }
  return out;
}

std::string retention_table_html(const Comparison& comparison) {
  std::vector<Column> columns = {{"Method", false, ""}};
  const std::vector<std::size_t> shown = classes_with(comparison, &ScoreSummary::ap50_retention);
  for (const std::size_t c : shown) {
    columns.push_back({"AP", true, comparison.classes[c]});
    columns.push_back({"AP50", true, comparison.classes[c]});
  }
  const bool gap = std::any_of(comparison.summaries.begin(), comparison.summaries.end(),
                               [](const MethodSummary& s) { return !std::isnan(s.gap_closed.mean); });
  if (gap) columns.push_back({"gap closed", true, ""});
  if (columns.size() == 1) return {};
  Rows rows;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    const MethodSummary& summary = comparison.summaries[m];
    std::vector<std::string> row = {named(comparison, m)};
    for (const std::size_t c : shown) {
      row.push_back(symmetric_html(scaled(summary.per_class[c].ap_retention, 100)));
      row.push_back(symmetric_html(scaled(summary.per_class[c].ap50_retention, 100)));
    }
    if (gap) {
      const Interval closed = scaled(summary.gap_closed, 100);
      std::string text = number_text(closed.mean);
      if (closed.bounded())
        text += "<small>" + number_text(closed.low) + " to " + number_text(closed.high) + "</small>";
      row.push_back(text);
    }
    rows.push_back(std::move(row));
  }
  std::string note = "Percent of the AP of each class's best teacher.";
  if (gap) {
    note += " Gap closed: percent of the way from the mean AP of " + comparison.lower + " to that of " +
            comparison.upper + ".";
  }
  return "<div class=\"card\">" + table_html(columns, rows) + "</div>\n<p class=\"note\">" + escape_html(note) +
         "</p>\n" + less_teacher_html(comparison);
}

std::string cost_table_html(const Comparison& comparison) {
  const CostTable table = cost_table(comparison);
  if (table.rows.empty()) return {};
  std::vector<Column> columns;
  for (const std::string& title : table.titles) columns.push_back({title, !columns.empty(), ""});
  columns.front().title = "Method";
  Rows rows;
  for (std::size_t m = 0; m < table.rows.size(); ++m) {
    std::vector<std::string> row = {named(comparison, m)};
    for (std::size_t i = 1; i < table.rows[m].size(); ++i) row.push_back(escape_html(table.rows[m][i]));
    rows.push_back(std::move(row));
  }
  return "<div class=\"card\">" + table_html(columns, rows) + "</div>\n<p class=\"note\">" +
         escape_html(cost_note(comparison)) + "</p>\n";
}

std::string runs_table_html(const Comparison& comparison) {
  std::vector<Column> columns = {{"Method", false, ""}};
  for (const std::uint64_t seed : comparison.seeds) columns.push_back({std::to_string(seed), true, "AP by seed"});
  Rows rows;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    std::vector<std::string> row = {named(comparison, m)};
    const std::vector<double> values = of_runs(comparison, m, nullptr);
    for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
      const RunState state = run_of(comparison, m, s).state;
      row.push_back(state == RunState::kFailed    ? "failed"
                    : state == RunState::kMissing ? "missing"
                                                  : number_text(values[s], 1));
    }
    rows.push_back(std::move(row));
  }
  return "<div class=\"card\">" + table_html(columns, rows) + "</div>\n";
}

std::string method_table_html(const Comparison& comparison) {
  Rows rows;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    const ComparedMethod& method = comparison.methods[m];
    std::string overrides;
    for (const std::string& each : method.overrides) {
      overrides += (overrides.empty() ? "<code>" : " <code>") + escape_html(each) + "</code>";
    }
    std::string what = escape_html(method.supervision);
    if (!method.loss.empty()) what += ", loss " + escape_html(method.loss);
    std::string about = escape_html(method.description);
    if (const std::string seeds = shifted_text(comparison.summaries[m]); !seeds.empty()) {
      about += "<small>" + escape_html(seeds) + "</small>";
    }
    rows.push_back({named(comparison, m), about, what, overrides});
  }
  return "<div class=\"card\">" +
         table_html({{"Method", false, ""}, {"", false, ""}, {"supervision", false, ""}, {"settings", false, ""}},
                    rows) +
         "</div>\n";
}

}  // namespace conclave
