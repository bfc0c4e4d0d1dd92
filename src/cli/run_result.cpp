#include "cli/run_result.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/config_run.h"
#include "cli/machine.h"
#include "cli/measured_detector.h"
#include "cli/pictures.h"
#include "cli/run_quality.h"
#include "cli/version.h"
#include "core/file.h"
#include "core/log.h"
#include "datasets/coco_file.h"
#include "datasets/image_files.h"
#include "datasets/write_coco.h"
#include "jobs/report.h"
#include "models/weights.h"
#include "student/evaluate.h"

namespace conclave {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t kPictures = 6;

std::filesystem::path best_weights(const RunOptions& options) {
  return std::filesystem::path(options.run) / "weights/best.safetensors";
}

std::int64_t parameters_of(const std::filesystem::path& weights) {
  std::int64_t count = 0;
  for (const at::Tensor& parameter : load_detector(weights).model->parameters()) count += parameter.numel();
  return count;
}

Json per_class_json(const MeasuredDetector& measured, const std::vector<std::string>& classes) {
  Json json = Json::object();
  for (std::size_t c = 0; c < classes.size(); ++c) {
    if (measured.judged[c]) json[classes[c]] = ap_json(measured.ap.per_class[c]);
  }
  return json;
}

std::string percent(double ap) {
  char text[16];
  if (ap < 0) return "     –";
  std::snprintf(text, sizeof text, "%6.1f", 100 * ap);
  return text;
}

void print_table(const MeasuredDetector& student, const std::vector<MeasuredDetector>& teachers,
                 const std::vector<std::string>& classes, const Dataset& set) {
  std::printf("\nOn %s (%zu images)            teacher           student        student / teacher\n", set.name.c_str(),
              set.images.size());
  std::printf("%-22s %8s %8s %8s %8s %14s\n", "class", "AP", "AP50", "AP", "AP50", "AP50");
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const ApSummary& own = student.ap.per_class[c];
    bool any = false;
    for (const MeasuredDetector& teacher : teachers) {
      if (!teacher.judged[c]) continue;
      any = true;
      const ApSummary& theirs = teacher.ap.per_class[c];
      char ratio[16] = "–";
      if (theirs.ap50 > 0 && own.ap50 >= 0) std::snprintf(ratio, sizeof ratio, "%.3f", own.ap50 / theirs.ap50);
      std::printf("%-22s   %s   %s   %s   %s %14s\n", classes[c].c_str(), percent(theirs.ap).c_str(),
                  percent(theirs.ap50).c_str(), percent(own.ap).c_str(), percent(own.ap50).c_str(), ratio);
    }
    if (!any) {
      std::printf("%-22s %8s %8s   %s   %s\n", classes[c].c_str(), "", "", percent(own.ap).c_str(),
                  percent(own.ap50).c_str());
    }
  }
  std::printf("%-22s %8s %8s   %s   %s\n\n", "mean", "", "", percent(student.ap.all.ap).c_str(),
              percent(student.ap.all.ap50).c_str());
}

// Seconds in which a teacher's workers held a lease, all of them together; for workers that are still known.
Json busy_json(const RunTeachers& teachers, const SourceStats& stats) {
  Json json = Json::object();
  for (const WorkerStats& worker : stats.serving) {
    Json& seconds = json[teachers.channels.at(static_cast<std::size_t>(worker.teacher)).name];
    seconds = (seconds.is_null() ? 0 : seconds.get<double>()) + worker.busy_seconds;
  }
  return json;
}

Json training_json(const RunOptions& options, const RunTeachers& teachers, const RunResult& trained) {
  Json json = {{"steps", trained.steps},
               {"images", trained.steps * options.training.batch},
               {"seconds", trained.spent.training},
               {"images_per_second", trained.images_per_second},
               {"data_wait", trained.spent.data_wait},
               {"teacher_wait", trained.spent.teacher_wait},
               {"teacher_busy", busy_json(teachers, trained.source)},
               {"trainer_memory", peak_memory()}};
  if (trained.spent.labelling > 0) json["labelling"] = trained.spent.labelling;
  if (trained.resumed_after > 0) json["resumed_after"] = trained.resumed_after;
  if (const double workers = peak_memory_of_children(); workers > 0) json["worker_memory"] = workers;
  return json;
}

// REQUIRES: at least one view was asked.
Json wire_json(const RunTeachers& teachers, const SourceStats& stats) {
  const std::uint64_t asked = stats.views - stats.stored_views;
  Json bytes = Json::object();
  for (std::size_t t = 0; t < stats.bytes_per_teacher.size() && t < teachers.channels.size(); ++t) {
    bytes[teachers.channels[t].name] = static_cast<double>(stats.bytes_per_teacher[t]) / static_cast<double>(asked);
  }
  return {
      {"views", asked}, {"bytes", stats.bytes}, {"bytes_per_view", bytes}, {"leases_reissued", stats.leases_reissued}};
}

// Those whose weights are here; in the run's order.
std::vector<MeasuredDetector> measure_teachers(const RunOptions& options, const RunTeachers& teachers,
                                               const Dataset& set) {
  std::vector<MeasuredDetector> measured;
  for (std::size_t t = 0; t < teachers.channels.size(); ++t) {
    if (options.teachers[t].weights.empty()) continue;  // on the workers' hosts only
    measured.push_back(measure_detector(teachers.channels[t].name, teacher_network(options.teachers[t], options),
                                        teachers.channels[t].student_class, set, options));
  }
  return measured;
}

// Teachers with the scores from which their boxes count where nothing else is known.
std::vector<Onlooker> onlookers(const RunOptions& options, const RunTeachers& teachers, const Thresholds& thresholds) {
  std::vector<Onlooker> all;
  for (std::size_t t = 0; t < teachers.channels.size(); ++t) {
    if (options.teachers[t].weights.empty()) continue;
    all.push_back({"teacher " + teachers.channels[t].name,
                   [&options, t] { return teacher_network(options.teachers[t], options); },
                   teachers.channels[t].student_class,
                   std::vector<double>(options.classes.size(), Thresholds::kFixed),
                   {}});
  }
  all.push_back({"student",
                 [&options] { return student_network(best_weights(options), options); },
                 own_channels(options),
                 thresholds.scores,
                 {}});
  return all;
}

// The ids by which the set's own file knows the classes, so that tools find them there; one that it lacks gets a new
// one.
std::vector<std::int64_t> category_ids(const DatasetOptions& set, const std::vector<std::string>& classes) {
  const std::vector<CocoCategory> known = read_coco(set.annotations).categories;
  std::int64_t next = 1;
  for (const CocoCategory& category : known) next = std::max(next, category.id + 1);
  std::vector<std::int64_t> ids;
  for (const std::string& name : classes) {
    const auto found = std::find_if(known.begin(), known.end(), [&](const CocoCategory& c) { return c.name == name; });
    ids.push_back(found == known.end() ? next++ : found->id);
  }
  return ids;
}

// On the held-out set: measures, prints, leaves quality.json, detections.json and pictures; adds to the result.
void test_run(const RunOptions& options, const RunTeachers& teachers, const std::vector<Dataset>& learnt_from,
              Json& result) {
  const std::filesystem::path run = options.run;
  const Dataset set = load_dataset(options.test, options.classes);
  std::optional<Dataset> val;
  if (!options.val.name.empty()) val = load_dataset(options.val, options.classes);
  const RunNetwork network = student_network(best_weights(options), options);
  const MeasuredDetector student = measure_detector("student", network, own_channels(options), set, options);
  const std::vector<MeasuredDetector> measured = measure_teachers(options, teachers, set);
  const Thresholds thresholds = find_thresholds(network, val, options);
  print_table(student, measured, options.classes, set);
  result["student"] = {{"parameters", parameters_of(best_weights(options))},
                       {"set", set.name},
                       {"images", set.images.size()},
                       {"seen_images", shared_images(set, learnt_from)},
                       {"all", ap_json(student.ap.all)},
                       {"per_class", per_class_json(student, options.classes)}};
  result["teachers"] = Json::array();
  for (const MeasuredDetector& teacher : measured) {
    Json known = Json::array();
    for (std::size_t t = 0; t < teachers.channels.size(); ++t) {
      if (teachers.channels[t].name == teacher.name) known = teachers.expected[t].classes;
    }
    result["teachers"].push_back(
        {{"name", teacher.name}, {"classes", known}, {"per_class", per_class_json(teacher, options.classes)}});
  }
  write_file_atomically(run / "quality.json", quality_json(set, student, measured, thresholds).dump() + "\n");
  write_detections((run / "detections.json").string(), set, student.detections,
                   category_ids(options.test, options.classes));
  result.update(
      draw_pictures(set, spread_images(set, kPictures), onlookers(options, teachers, thresholds), options, run));
}

// Of the classes that took part: {name: {score, precision, recall, f1}}, or {name: {score}} where it was given.
Json thresholds_json(const std::vector<ClassThreshold>& thresholds, const std::vector<std::string>& classes) {
  Json json = Json::object();
  for (std::size_t c = 0; c < thresholds.size(); ++c) {
    const ClassThreshold& threshold = thresholds[c];
    if (threshold.score >= 1) continue;
    Json& own = json[classes[c]] = {{"score", threshold.score}};
    if (threshold.f1 < 0) continue;
    own.update({{"precision", threshold.precision}, {"recall", threshold.recall}, {"f1", threshold.f1}});
  }
  return json;
}

}  // namespace

void write_run_result(const RunOptions& options, const RunTeachers& teachers, const Trainer& trainer,
                      const RunResult& trained) {
  const std::filesystem::path run = options.run;
  Json result = {{"name", run.filename().string()}, {"method", name_of(options.fusion.method)}};
  if (distils(options.fusion.method)) result["loss"] = name_of(options.fusion.loss);
  result["seed"] = options.seed;
  result["classes"] = options.classes;
  result["coverage"] = trainer.coverage_text();
  result["training"] = training_json(options, teachers, trained);
  if (!trained.pseudo_thresholds.empty()) {
    result["pseudo_thresholds"] = thresholds_json(trained.pseudo_thresholds, options.classes);
  }
  if (trained.source.stored_views > 0) {
    result["stored_views"] = trained.source.stored_views;
    log::info("{} of {} views came from the store", trained.source.stored_views, trained.source.views);
  }
  if (trained.source.views > trained.source.stored_views) {
    result["wire"] = wire_json(teachers, trained.source);
    for (const auto& [name, bytes] : result["wire"]["bytes_per_view"].items()) {
      log::info("teacher {}: {:.0f} bytes per view on the wire", name, bytes.get<double>());
    }
  }
  result["environment"] = {{"cpu", cpu_name()},
                           {"cores", cpu_count()},
                           {"threads", at::get_num_threads()},
                           {"version", version_and_build()}};
  if (!options.test.name.empty()) test_run(options, teachers, trainer.datasets(), result);
  write_file_atomically(run / "result.json", result.dump(2) + "\n");
  write_run_report(run);
  log::info("report: {}", (run / "report.html").string());
}

}  // namespace conclave
