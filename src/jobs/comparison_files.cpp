#include "jobs/comparison_files.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "jobs/comparison_markdown.h"
#include "jobs/comparison_page.h"

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
          {"ap_less_teacher", interval_json(scores.ap_less_teacher)},
          {"ap50_less_teacher", interval_json(scores.ap50_less_teacher)},
          {"ap_retention", interval_json(scores.ap_retention)},
          {"ap50_retention", interval_json(scores.ap50_retention)}};
}

Json cost_json(const MethodCost& cost) {
  return {{"images", number(cost.images)},
          {"seconds", number(cost.seconds)},
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
    json["images"] = run.record.training->images;
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
               {"gap", interval_json(comparison.gap)},
               {"methods", Json::array()},
               {"pairs", Json::array()},
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
                               {"seed_shift", summary.seed_shift},
                               {"all", scores_json(summary.all)},
                               {"per_class", std::move(per_class)},
                               {"gap_closed", interval_json(summary.gap_closed)},
                               {"cost", cost_json(summary.cost)},
                               {"verdict", summary.verdict}});
  }
  for (const MethodPair& pair : comparison.pairs) {
    json["pairs"].push_back({{"method", comparison.methods[pair.method].name},
                             {"other", comparison.methods[pair.other].name},
                             {"ap", interval_json(pair.ap)},
                             {"ap50", interval_json(pair.ap50)}});
  }
  for (const ComparedRun& run : comparison.runs) json["runs"].push_back(run_json(run));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string comparison_csv(const Comparison& comparison) {
  std::string text = "method,seed,class,ap,ap50,ap75,seconds,images_per_second,images\n";
  for (const ComparedRun& run : comparison.runs) {
    if (run.state != RunState::kDone || !run.record.student) continue;
    const auto row = [&](const std::string& cls, const ApNumbers& ap) {
      const double seconds = run.record.training ? run.record.training->seconds : Interval::kNone;
      const double rate = run.record.training ? run.record.training->images_per_second : Interval::kNone;
      const std::string images = run.record.training ? std::to_string(run.record.training->images) : "";
      text += csv_word(run.method) + "," + std::to_string(run.seed) + "," + csv_word(cls) + "," + csv_number(ap.ap) +
              "," + csv_number(ap.ap50) + "," + csv_number(ap.ap75) + "," + csv_number(seconds) + "," +
              csv_number(rate) + "," + images + "\n";
    };
    if (run.record.student->all) row("all", *run.record.student->all);
    for (const std::string& cls : comparison.classes) {
      const auto found = run.record.student->per_class.find(cls);
      if (found != run.record.student->per_class.end()) row(cls, found->second);
    }
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
