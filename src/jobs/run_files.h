#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "jobs/pictures.h"

namespace conclave {

// COCO's numbers in [0,1]; -1: no ground truth, or not given.
struct ApNumbers {
  double ap = -1, ap50 = -1, ap75 = -1, ap_small = -1, ap_medium = -1, ap_large = -1;
};

// What a run leaves in its folder, as plain values. An absent field keeps its default; an absent part is empty.
struct StudentResult {
  std::int64_t parameters = 0;  // 0: not given
  std::string set;
  std::int64_t images = 0;
  std::int64_t seen_images = 0;  // of them, which its training used, too
  std::optional<ApNumbers> all;
  std::map<std::string, ApNumbers> per_class;
};

struct TeacherResult {
  std::string name;
  std::vector<std::string> classes;
  std::map<std::string, ApNumbers> per_class;
};

struct TrainingResult {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();  // not given
  std::int64_t steps = 0, images = 0;
  double seconds = kNone, images_per_second = kNone, data_wait = kNone, teacher_wait = kNone;  // waits in seconds
  double labelling = kNone;        // seconds before the first step, for pseudo labels
  std::int64_t resumed_after = 0;  // steps; what follows is of the part after them, as are WireResult and stored views
  double trainer_memory = kNone, worker_memory = kNone;      // peak bytes; of the largest worker process of this host
  std::vector<std::pair<std::string, double>> teacher_busy;  // seconds in which its workers held a lease, by teacher
};

struct WireResult {
  std::int64_t views = 0, leases_reissued = 0;
  std::vector<std::pair<std::string, double>> bytes_per_view;  // by teacher
};

struct RunRecord {
  std::string name, method, loss;
  std::optional<std::int64_t> seed;
  std::vector<std::string> classes;
  std::string coverage;  // a table in plain text
  std::optional<StudentResult> student;
  std::vector<TeacherResult> teachers;
  std::optional<TrainingResult> training;
  std::optional<WireResult> wire;
  std::int64_t stored_views = 0;  // answered by a target store
  Pictures pictures;
  std::vector<std::pair<std::string, std::string>> environment;
};

// One logged step. NaN: not given, or not a finite number when it was written.
struct TrainingRow {
  std::int64_t step = 0;
  double loss, lr, images_per_second, grad_norm;
  double data_wait, teacher_wait;  // shares of the time since the row before, 0 to 1
  std::vector<std::pair<std::string, double>> terms;
};

struct EvaluationRow {
  std::int64_t step = 0;
  std::string set;
  ApNumbers all;
  std::map<std::string, ApNumbers> per_class;
};

struct RunMetrics {
  std::vector<TrainingRow> training;
  std::vector<EvaluationRow> evaluations;
  std::string note;  // what was ignored (a last line that was cut off), empty: nothing
};

// <folder>/result.json. Throws Error: where = file:line for what is not JSON, file and field for a wrong type.
RunRecord read_run_record(const std::filesystem::path& folder);

// <folder>/metrics.jsonl; empty when it is absent. A last line without its line feed that doesn't parse was cut off by
// a crash: it is ignored and noted. Rows of a resumed run replace earlier ones of the same or a later step. Throws
// Error with where = file:line for anything else.
RunMetrics read_run_metrics(const std::filesystem::path& folder);

}  // namespace conclave
