#include "cli/run_result.h"

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/config_run.h"
#include "cli/machine.h"
#include "cli/pictures.h"
#include "cli/version.h"
#include "core/file.h"
#include "core/log.h"
#include "jobs/report.h"
#include "models/weights.h"
#include "student/evaluate.h"

namespace conclave {
namespace {

using Json = nlohmann::ordered_json;

// One detector measured on the held-out set.
struct Measured {
  std::string name;
  ApResult ap;
  std::vector<std::vector<Detection>> detections;  // classes are the student's
  std::vector<bool> classes;                       // which of the student's classes it has
  std::int64_t parameters = 0;
};

EvaluateOptions evaluate_options(const RunOptions& options) {
  EvaluateOptions evaluate;
  evaluate.batch = options.training.eval_batch;
  evaluate.loader_threads = options.training.loader_threads;
  evaluate.device = options.training.device;
  evaluate.bf16 = options.training.bf16;
  evaluate.channels_last = options.training.channels_last;
  return evaluate;
}

std::int64_t parameters_of(const Detector& model) {
  std::int64_t count = 0;
  for (const at::Tensor& parameter : model.parameters()) count += parameter.numel();
  return count;
}

// `student_class`: the student's class of each of the detector's channels, -1: left out.
Measured measure(const std::string& name, const std::filesystem::path& weights, const std::vector<int>& student_class,
                 const Dataset& set, const RunOptions& options) {
  const LoadedDetector loaded = load_detector(weights);
  Measured measured;
  measured.name = name;
  measured.parameters = parameters_of(*loaded.model);
  measured.classes.assign(options.classes.size(), false);
  for (const int cls : student_class) {
    if (cls >= 0) measured.classes[static_cast<std::size_t>(cls)] = true;
  }
  for (const auto& found : detect(*loaded.model, set, options.views, evaluate_options(options))) {
    std::vector<Detection> kept;
    for (Detection detection : found) {
      detection.cls = student_class[static_cast<std::size_t>(detection.cls)];
      if (detection.cls >= 0) kept.push_back(detection);
    }
    measured.detections.push_back(std::move(kept));
  }
  std::vector<bool> judged = measured.classes;
  for (std::size_t c = 0; c < judged.size(); ++c) judged[c] = judged[c] && set.labelled[c];
  measured.classes = judged;
  measured.ap = coco_ap(set, measured.detections, measured.classes);
  return measured;
}

Json per_class_json(const Measured& measured, const std::vector<std::string>& classes) {
  Json json = Json::object();
  for (std::size_t c = 0; c < classes.size(); ++c) {
    if (measured.classes[c]) json[classes[c]] = ap_json(measured.ap.per_class[c]);
  }
  return json;
}

std::string percent(double ap) {
  char text[16];
  if (ap < 0) return "     –";
  std::snprintf(text, sizeof text, "%6.1f", 100 * ap);
  return text;
}

void print_table(const Measured& student, const std::vector<Measured>& teachers,
                 const std::vector<std::string>& classes, const Dataset& set) {
  std::printf("\nOn %s (%zu images)            teacher           student        student / teacher\n", set.name.c_str(),
              set.images.size());
  std::printf("%-22s %8s %8s %8s %8s %14s\n", "class", "AP", "AP50", "AP", "AP50", "AP50");
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const ApSummary& own = student.ap.per_class[c];
    bool any = false;
    for (const Measured& teacher : teachers) {
      if (!teacher.classes[c]) continue;
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

Json training_json(const RunOptions& options, const RunResult& trained) {
  return {{"steps", trained.steps},
          {"images", trained.steps * options.training.batch},
          {"seconds", trained.seconds},
          {"images_per_second", trained.images_per_second},
          {"teacher_wait", trained.source.wait_seconds}};
}

// REQUIRES: at least one view was asked.
Json wire_json(const RunTeachers& teachers, const SourceStats& stats) {
  const std::uint64_t asked = stats.views - stats.stored_views;
  Json bytes = Json::object();
  for (std::size_t t = 0; t < stats.bytes_per_teacher.size() && t < teachers.channels.size(); ++t) {
    bytes[teachers.channels[t].name] = static_cast<double>(stats.bytes_per_teacher[t]) / static_cast<double>(asked);
  }
  return {{"views", asked}, {"bytes_per_view", bytes}, {"leases_reissued", stats.leases_reissued}};
}

}  // namespace

void write_run_result(const RunOptions& options, const RunTeachers& teachers, const std::string& coverage,
                      const RunResult& trained) {
  const std::filesystem::path run = options.run;
  Json result = {{"name", run.filename().string()},
                 {"method", name_of(options.fusion.method)},
                 {"loss", name_of(options.fusion.loss)},
                 {"seed", options.seed},
                 {"classes", options.classes},
                 {"coverage", coverage},
                 {"training", training_json(options, trained)}};
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
  result["environment"] = {{"cpu", cpu_name()}, {"threads", cpu_count()}, {"version", kVersion}};

  if (!options.test.name.empty()) {
    const Dataset set = load_dataset(options.test, options.classes);
    std::vector<int> all;
    for (std::size_t c = 0; c < options.classes.size(); ++c) all.push_back(static_cast<int>(c));
    const Measured student = measure("student", run / "weights/best.safetensors", all, set, options);
    std::vector<Measured> measured;
    for (std::size_t t = 0; t < teachers.channels.size(); ++t) {
      if (options.teachers[t].weights.empty()) continue;  // on the workers' hosts only
      measured.push_back(measure(teachers.channels[t].name, options.teachers[t].weights,
                                 teachers.channels[t].student_class, set, options));
    }
    print_table(student, measured, options.classes, set);
    result["student"] = {{"parameters", student.parameters},
                         {"set", set.name},
                         {"images", set.images.size()},
                         {"all", ap_json(student.ap.all)},
                         {"per_class", per_class_json(student, options.classes)}};
    result["teachers"] = Json::array();
    for (std::size_t t = 0; t < measured.size(); ++t) {
      result["teachers"].push_back({{"name", measured[t].name},
                                    {"classes", teachers.expected[t].classes},
                                    {"per_class", per_class_json(measured[t], options.classes)}});
    }
    std::vector<std::pair<std::string, const std::vector<std::vector<Detection>>*>> columns;
    for (const Measured& teacher : measured) columns.emplace_back("teacher " + teacher.name, &teacher.detections);
    columns.emplace_back("student", &student.detections);
    result["pictures"] = Json::array();
    for (const Comparison& picture : draw_comparison(set, columns, run / "pictures", 6)) {
      result["pictures"].push_back({{"file", picture.file}, {"caption", picture.caption}});
    }
  }
  write_file_atomically(run / "result.json", result.dump(2) + "\n");
  write_run_report(run);
  log::info("report: {}", (run / "report.html").string());
}

}  // namespace conclave
