#include "jobs/comparison_markdown.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/join.h"
#include "jobs/comparison_cost.h"
#include "jobs/comparison_notes.h"
#include "jobs/interval_text.h"

namespace conclave {
namespace {

const char* const kNothing = "–";

// "50.1 ± 0.9": the 95 % interval is symmetric.
std::string spread(const Interval& interval) {
  if (interval.n == 0) return kNothing;
  const Interval points = scaled(interval, 100);
  return plain_number(points.mean, 1) + (points.bounded() ? " ± " + plain_number(points.high - points.mean, 1) : "");
}

// "+2.0 [+0.5, +3.5]", its mean bold where the interval excludes zero.
std::string difference(const Interval& interval) {
  if (interval.n == 0) return kNothing;
  const SignedInterval text = signed_interval(scaled(interval, 100));
  if (!interval.bounded()) return text.mean;
  return (interval.excludes_zero() ? "**" + text.mean + "**" : text.mean) + " [" + text.low + ", " + text.high + "]";
}

std::string percent(const Interval& interval) {
  if (interval.n == 0 || std::isnan(interval.mean)) return kNothing;
  std::string text = plain_number(100 * interval.mean, 0) + " %";
  if (interval.bounded()) {
    text += " [" + plain_number(100 * interval.low, 0) + ", " + plain_number(100 * interval.high, 0) + "]";
  }
  return text;
}

// A cell's text can't end its cell, or its row.
std::string cell(std::string text) {
  for (char& c : text) {
    if (c == '|') c = '/';
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

class MarkdownTable {
 public:
  explicit MarkdownTable(const std::vector<std::string>& titles) {
    add(titles);
    text_ += "|";
    for (std::size_t i = 0; i < titles.size(); ++i) text_ += i == 0 ? "---|" : "---:|";
    text_ += "\n";
  }

  void add(const std::vector<std::string>& cells) {
    text_ += "|";
    for (const std::string& each : cells) text_ += " " + cell(each) + " |";
    text_ += "\n";
  }

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::vector<std::string> with_classes(std::vector<std::string> titles, const Comparison& comparison) {
  titles.insert(titles.end(), comparison.classes.begin(), comparison.classes.end());
  return titles;
}

std::string score_table(const Comparison& comparison, Interval ScoreSummary::*score) {
  MarkdownTable table(with_classes({"method", "mean"}, comparison));
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    const MethodSummary& summary = comparison.summaries[m];
    std::vector<std::string> cells = {comparison.methods[m].name, spread(summary.all.*score)};
    for (const ScoreSummary& cls : summary.per_class) cells.push_back(spread(cls.*score));
    table.add(cells);
  }
  std::vector<std::string> cells = {"best teacher of the class", ""};
  for (const ScoreSummary& cls : comparison.teachers) cells.push_back(spread(cls.*score));
  const bool known = std::any_of(comparison.teachers.begin(), comparison.teachers.end(),
                                 [&](const ScoreSummary& cls) { return (cls.*score).n > 0; });
  if (known) table.add(cells);
  return table.text();
}

std::string difference_table(const Comparison& comparison) {
  MarkdownTable table(with_classes({"method", "AP", "AP50", "seeds"}, comparison));
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    const MethodSummary& summary = comparison.summaries[m];
    if (comparison.methods[m].name == comparison.baseline) continue;
    std::vector<std::string> cells = {comparison.methods[m].name, difference(summary.all.ap_difference),
                                      difference(summary.all.ap50_difference),
                                      std::to_string(summary.all.ap_difference.n)};
    for (const ScoreSummary& cls : summary.per_class) cells.push_back(difference(cls.ap_difference));
    table.add(cells);
  }
  return table.text();
}

std::string pair_table(const Comparison& comparison) {
  MarkdownTable table({"pair", "AP", "AP50", "seeds"});
  for (const MethodPair& pair : comparison.pairs) {
    table.add({comparison.methods[pair.method].name + " less " + comparison.methods[pair.other].name,
               difference(pair.ap), difference(pair.ap50), std::to_string(pair.ap.n)});
  }
  return table.text();
}

// A column of AP and one of AP50 for each class, and `last` where it has a title.
std::string teacher_table(const Comparison& comparison, Interval ScoreSummary::*ap, Interval ScoreSummary::*ap50,
                          std::string (*text)(const Interval&), const std::string& last = {}) {
  std::vector<std::string> titles = {"method"};
  for (const std::string& cls : comparison.classes) titles.insert(titles.end(), {cls + " AP", cls + " AP50"});
  if (!last.empty()) titles.push_back(last);
  MarkdownTable table(titles);
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    const MethodSummary& summary = comparison.summaries[m];
    std::vector<std::string> cells = {comparison.methods[m].name};
    for (const ScoreSummary& cls : summary.per_class) cells.insert(cells.end(), {text(cls.*ap), text(cls.*ap50)});
    if (!last.empty()) cells.push_back(percent(summary.gap_closed));
    table.add(cells);
  }
  return table.text();
}

bool has_teachers(const Comparison& comparison) {
  return std::any_of(comparison.teachers.begin(), comparison.teachers.end(),
                     [](const ScoreSummary& teacher) { return teacher.ap.n > 0; });
}

std::string teachers_text(const Comparison& comparison) {
  const std::string gap = comparison.lower.empty() || comparison.upper.empty()
                              ? ""
                              : "gap " + comparison.lower + " to " + comparison.upper + " closed";
  const std::string kept =
      "\n## Retention: the student's AP over its best teacher's on the class\n\n" +
      teacher_table(comparison, &ScoreSummary::ap_retention, &ScoreSummary::ap50_retention, percent, gap);
  if (!has_teachers(comparison)) return gap.empty() ? "" : kept;
  return kept + "\n## Student less its best teacher on the class, paired by seed [95 % interval]\n\n" +
         teacher_table(comparison, &ScoreSummary::ap_less_teacher, &ScoreSummary::ap50_less_teacher, difference);
}

std::string cost_text(const Comparison& comparison) {
  const CostTable cost = cost_table(comparison);
  if (cost.rows.empty()) return {};
  MarkdownTable table(cost.titles);
  for (const std::vector<std::string>& row : cost.rows) table.add(row);
  return "\n## Cost\n\n" + table.text() + "\n" + cost_note(comparison) + "\n";
}

std::string method_list(const Comparison& comparison) {
  std::string text;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    const ComparedMethod& method = comparison.methods[m];
    text += "* **" + method.name + "**";
    if (method.name == comparison.baseline) text += " (baseline)";
    if (!method.description.empty()) text += ": " + method.description;
    if (!method.overrides.empty()) text += " (`" + join(method.overrides, "` `") + "`)";
    const std::string seeds = shifted_text(comparison.summaries[m]);
    text += seeds.empty() ? "\n" : ", " + seeds + "\n";
  }
  return text;
}

}  // namespace

std::string comparison_markdown(const Comparison& comparison) {
  std::string text = "# " + comparison.name + "\n\n";
  for (const std::string& sentence : comparison.verdicts) text += "* " + sentence + "\n";
  text += "\nBudget: " + comparison.budget + ". Seeds: ";
  for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
    text += (s == 0 ? "" : ", ") + std::to_string(comparison.seeds[s]);
  }
  text += ".\n";
  for (const std::string& note : comparison.notes) text += "\n> " + note + "\n";
  text += "\n## Methods\n\n" + method_list(comparison);
  text += "\n## AP, mean ± 95 % interval over seeds\n\n" + score_table(comparison, &ScoreSummary::ap);
  text += "\n## AP50\n\n" + score_table(comparison, &ScoreSummary::ap50);
  text += "\n## Difference to " + comparison.baseline + ", paired by seed [95 % interval]\n\n" +
          difference_table(comparison) + "\nColumns of classes are AP; bold where the interval excludes zero.\n\n";
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    if (!comparison.summaries[m].verdict.empty()) text += "* " + comparison.summaries[m].verdict + "\n";
  }
  if (!comparison.pairs.empty()) {
    text += "\n## Every pair of methods, paired by seed [95 % interval]\n\n" + pair_table(comparison);
  }
  text += teachers_text(comparison) + cost_text(comparison);
  for (const ComparedRun& run : comparison.runs) {
    if (run.failure.empty()) continue;
    text += (run.state == RunState::kFailed ? "\nFailed: " : "\nLeft out: ") + run.method + ", seed " +
            std::to_string(run.seed) + "\n\n```\n" + run.failure + "\n```\n";
  }
  return text;
}

}  // namespace conclave
