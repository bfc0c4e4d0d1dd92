#include "jobs/comparison_files.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "core/join.h"
#include "jobs/comparison_page.h"
#include "jobs/comparison_verdict.h"

namespace conclave {
namespace {

using Json = nlohmann::ordered_json;

// JSON has no NaN: what is not known is null.
Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json interval_json(const Interval& interval) {
  return {{"mean", number(interval.mean)},
          {"low", number(interval.low)},
          {"high", number(interval.high)},
          {"n", interval.n}};
}

Json scores_json(const ScoreSummary& scores) {
  return {{"ap", interval_json(scores.ap)},
          {"ap50", interval_json(scores.ap50)},
          {"ap_difference", interval_json(scores.ap_difference)},
          {"ap50_difference", interval_json(scores.ap50_difference)},
          {"ap_retention", interval_json(scores.ap_retention)},
          {"ap50_retention", interval_json(scores.ap50_retention)}};
}

Json cost_json(const MethodCost& cost) {
  return {{"seconds", number(cost.seconds)},
          {"labelling", number(cost.labelling)},
          {"images_per_second", number(cost.images_per_second)},
          {"teacher_wait", number(cost.teacher_wait)},
          {"teacher_busy", number(cost.teacher_busy)},
          {"wire_bytes_per_view", number(cost.wire_bytes_per_view)},
          {"views_asked", number(cost.views_asked)},
          {"views_stored", number(cost.views_stored)},
          {"trainer_memory", number(cost.trainer_memory)},
          {"worker_memory", number(cost.worker_memory)}};
}

Json ap_json(const ApNumbers& numbers) {
  const auto known = [](double value) { return value >= 0 ? Json(value) : Json(nullptr); };
  return {{"ap", known(numbers.ap)}, {"ap50", known(numbers.ap50)}, {"ap75", known(numbers.ap75)}};
}

const char* word(RunState state) {
  switch (state) {
    case RunState::kMissing:
      return "missing";
    case RunState::kFailed:
      return "failed";
    case RunState::kDone:
      return "done";
  }
  return "";
}

Json run_json(const ComparedRun& run) {
  Json json = {{"method", run.method}, {"seed", run.seed}, {"state", word(run.state)}, {"folder", run.folder.string()}};
  if (!run.failure.empty()) json["failure"] = run.failure;
  if (run.record.student) {
    const StudentResult& student = *run.record.student;
    if (student.all) json["all"] = ap_json(*student.all);
    json["per_class"] = Json::object();
    for (const auto& [cls, numbers] : student.per_class) json["per_class"][cls] = ap_json(numbers);
  }
  for (const TeacherResult& teacher : run.record.teachers) {
    Json per_class = Json::object();
    for (const auto& [cls, numbers] : teacher.per_class) per_class[cls] = ap_json(numbers);
    json["teachers"][teacher.name] = std::move(per_class);
  }
  if (run.record.training) {
    json["seconds"] = number(run.record.training->seconds);
    json["images_per_second"] = number(run.record.training->images_per_second);
  }
  return json;
}

std::string csv_word(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv_number(double value) {
  return std::isfinite(value) && value >= 0 ? Json(value).dump() : "";
}

std::string fixed(double value, int decimals) {
  if (std::isnan(value)) return "–";
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

std::string percent(double share, int decimals = 1) {
  return fixed(100 * share, decimals);
}

// "50.1 ± 0.9": the 95 % interval is symmetric.
std::string spread(const Interval& interval) {
  if (interval.n == 0) return "–";
  return percent(interval.mean) + (interval.bounded() ? " ± " + percent(interval.high - interval.mean) : "");
}

std::string bounds(const Interval& interval, int decimals, const std::string& unit = {}) {
  if (interval.n == 0 || std::isnan(interval.mean)) return "–";
  std::string text = percent(interval.mean, decimals) + unit;
  if (interval.bounded())
    text += " [" + percent(interval.low, decimals) + ", " + percent(interval.high, decimals) + "]";
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
    std::vector<std::string> cells = {comparison.methods[m].name, bounds(summary.all.ap_difference, 1),
                                      bounds(summary.all.ap50_difference, 1),
                                      std::to_string(summary.all.ap_difference.n)};
    for (const ScoreSummary& cls : summary.per_class) cells.push_back(bounds(cls.ap_difference, 1));
    table.add(cells);
  }
  return table.text();
}

std::string retention_table(const Comparison& comparison) {
  std::vector<std::string> titles = with_classes({"method"}, comparison);
  const bool gap = !comparison.lower.empty() && !comparison.upper.empty();
  if (gap) titles.push_back("gap " + comparison.lower + " to " + comparison.upper + " closed");
  MarkdownTable table(titles);
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    const MethodSummary& summary = comparison.summaries[m];
    std::vector<std::string> cells = {comparison.methods[m].name};
    for (const ScoreSummary& cls : summary.per_class) cells.push_back(bounds(cls.ap_retention, 0, " %"));
    if (gap) cells.push_back(bounds(summary.gap_closed, 0, " %"));
    table.add(cells);
  }
  return table.text();
}

std::string cost_table(const Comparison& comparison) {
  MarkdownTable table({"method", "pseudo labels, s", "training, s", "images/s", "waiting for teachers, s",
                       "teachers busy, s", "views asked", "views from store", "bytes per view", "memory, MiB"});
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    const MethodCost& cost = comparison.summaries[m].cost;
    table.add({comparison.methods[m].name, fixed(cost.labelling, 1), fixed(cost.seconds, 1),
               fixed(cost.images_per_second, 1), fixed(cost.teacher_wait, 1), fixed(cost.teacher_busy, 1),
               fixed(cost.views_asked, 0), fixed(cost.views_stored, 0), fixed(cost.wire_bytes_per_view, 0),
               fixed(cost.trainer_memory / (1 << 20), 0)});
  }
  return table.text();
}

std::string method_list(const Comparison& comparison) {
  std::string text;
  for (const ComparedMethod& method : comparison.methods) {
    text += "* **" + method.name + "**";
    if (method.name == comparison.baseline) text += " (baseline)";
    if (!method.description.empty()) text += ": " + method.description;
    if (!method.overrides.empty()) text += " (`" + join(method.overrides, "` `") + "`)";
    text += "\n";
  }
  return text;
}

}  // namespace

std::string comparison_json(const Comparison& comparison) {
  Json json = {{"format", 1},
               {"name", comparison.name},
               {"classes", comparison.classes},
               {"baseline", comparison.baseline},
               {"lower", comparison.lower},
               {"upper", comparison.upper},
               {"seeds", comparison.seeds},
               {"budget", comparison.budget},
               {"verdicts", comparison.verdicts},
               {"notes", comparison.notes},
               {"methods", Json::array()},
               {"runs", Json::array()}};
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    const ComparedMethod& method = comparison.methods[m];
    const MethodSummary& summary = comparison.summaries[m];
    Json per_class = Json::object();
    for (std::size_t c = 0; c < comparison.classes.size(); ++c) {
      per_class[comparison.classes[c]] = scores_json(summary.per_class[c]);
    }
    json["methods"].push_back({{"name", method.name},
                               {"description", method.description},
                               {"overrides", method.overrides},
                               {"supervision", method.supervision},
                               {"loss", method.loss},
                               {"init", method.init},
                               {"all", scores_json(summary.all)},
                               {"per_class", std::move(per_class)},
                               {"gap_closed", interval_json(summary.gap_closed)},
                               {"cost", cost_json(summary.cost)},
                               {"verdict", summary.verdict}});
  }
  for (const ComparedRun& run : comparison.runs) json["runs"].push_back(run_json(run));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string comparison_csv(const Comparison& comparison) {
  std::string text = "method,seed,class,ap,ap50,ap75,seconds,images_per_second\n";
  for (const ComparedRun& run : comparison.runs) {
    if (run.state != RunState::kDone || !run.record.student) continue;
    const auto row = [&](const std::string& cls, const ApNumbers& ap) {
      const double seconds = run.record.training ? run.record.training->seconds : Interval::kNone;
      const double rate = run.record.training ? run.record.training->images_per_second : Interval::kNone;
      text += csv_word(run.method) + "," + std::to_string(run.seed) + "," + csv_word(cls) + "," + csv_number(ap.ap) +
              "," + csv_number(ap.ap50) + "," + csv_number(ap.ap75) + "," + csv_number(seconds) + "," +
              csv_number(rate) + "\n";
    };
    if (run.record.student->all) row("all", *run.record.student->all);
    for (const std::string& cls : comparison.classes) {
      const auto found = run.record.student->per_class.find(cls);
      if (found != run.record.student->per_class.end()) row(cls, found->second);
    }
  }
  return text;
}

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
          difference_table(comparison) + "\nColumns of classes are AP.\n\n";
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    if (!comparison.summaries[m].verdict.empty()) text += "* " + comparison.summaries[m].verdict + "\n";
  }
  text += "\n## Retention: the student's AP over its best teacher's on the class\n\n" + retention_table(comparison);
  text += "\n## Cost, mean over runs\n\n" + cost_table(comparison);
  for (const ComparedRun& run : comparison.runs) {
    if (run.failure.empty()) continue;
    text += (run.state == RunState::kFailed ? "\nFailed: " : "\nLeft out: ") + run.method + ", seed " +
            std::to_string(run.seed) + "\n\n```\n" + run.failure + "\n```\n";
  }
  return text;
}

void write_comparison(const Comparison& comparison, const std::filesystem::path& folder) {
  write_file_atomically(folder / "results.json", comparison_json(comparison));
  write_file_atomically(folder / "results.csv", comparison_csv(comparison));
  write_file_atomically(folder / "report.md", comparison_markdown(comparison));
  write_comparison_page(comparison, folder / "report.html");
}

}  // namespace conclave
