#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "jobs/run_files.h"
#include "jobs/statistics.h"

namespace conclave {

// What was compared, as plain values, and what came out. AP and shares are in [0,1], as in ApNumbers. Filled by compare
// (jobs/comparison_statistics.h), shown by the report files (jobs/comparison_files.h, jobs/comparison_page.h).

struct ComparedMethod {
  std::string name;                    // unique; a word
  std::string description;             // one line, may be empty
  std::vector<std::string> overrides;  // key=value, on top of the base configuration
  std::string supervision;             // fusion.method as resolved: kd, pseudo, labels, ...
  std::string loss;                    // fusion.loss, for methods that distil; else empty
  std::string init;                    // training.init, weights that it starts from; empty: fresh
  std::string choice;                  // how its weights are chosen: the set and how often it is looked at
};

enum class RunState { kMissing, kFailed, kDone };

struct ComparedRun {
  std::string method;
  std::uint64_t seed = 0;
  std::filesystem::path folder;  // result.json, metrics.jsonl, pictures/, weights/ as a single run leaves them
  RunState state = RunState::kMissing;
  std::string failure;  // kFailed: the last lines of its log; kMissing: why it was left out, where it was
  RunRecord record;     // kDone, else empty
  RunMetrics metrics;   // kDone, else empty
};

// One method on one class, or on all of them (their mean AP).
struct ScoreSummary {
  Interval ap, ap50;
  // Paired by seed with the baseline, over the seeds that both have: method - baseline. n = 0 for the baseline itself.
  Interval ap_difference, ap50_difference;
  // The same with the class's best teacher: student - teacher; n = 0 where none is known and for the mean over classes.
  Interval ap_less_teacher, ap50_less_teacher;
  // AP of the student over that of its class's best teacher, per seed; n = 0 where no teacher of the class is known,
  // and for the mean over classes.
  Interval ap_retention, ap50_retention;
};

// Means over the finished runs; NaN where no run tells.
struct MethodCost {
  double images = Interval::kNone;     // seen in training
  double seconds = Interval::kNone;    // of training, without tests and reports
  double labelling = Interval::kNone;  // seconds before it, for pseudo labels
  double images_per_second = Interval::kNone;
  double teacher_wait = Interval::kNone;  // seconds that training waited for teachers
  // Times of workers, numbers of views and memory leave out runs that were resumed: their last part alone is known.
  double teacher_busy = Interval::kNone;         // seconds in which workers held a lease, of all teachers together
  double wire_bytes_per_view = Interval::kNone;  // of all teachers together
  double views_asked = Interval::kNone;          // of teachers
  double views_stored = Interval::kNone;         // answered by a target store instead
  double trainer_memory = Interval::kNone, worker_memory = Interval::kNone;  // peak bytes

  bool replayed() const { return views_stored > 0 && std::isnan(views_asked); }  // every view came from a store
};

struct MethodSummary {
  ScoreSummary all;
  std::vector<ScoreSummary> per_class;  // in the order of Comparison::classes
  // (method - lower) / (upper - lower) of the mean AP, with Fieller's interval; NaN where the paired interval of
  // upper - lower does not lie above zero. n = 0 where the comparison has no lower or upper method.
  Interval gap_closed;
  MethodCost cost;
  std::int64_t seed_shift = 0;  // of a finished run's seed less the comparison's; not zero: a method under new seeds
  std::string verdict;          // a few sentences on the method against the baseline; empty for the baseline
};

// The mean AP of methods[method] less that of methods[other], paired over the seeds that both have.
struct MethodPair {
  std::size_t method = 0, other = 0;
  Interval ap, ap50;
};

struct Comparison {
  std::string name;
  std::vector<std::string> classes;
  std::vector<ComparedMethod> methods;  // in the order written
  std::string baseline;                 // a method's name
  std::string lower, upper;             // methods between which gap_closed is measured; empty: none
  std::vector<std::uint64_t> seeds;
  std::string budget;             // in words: "8000 images (1000 steps of 8) for every method"
  std::vector<ComparedRun> runs;  // methods x seeds, methods outer, in the orders above; all of them, also missing
  std::vector<MethodSummary> summaries;  // one per method
  std::vector<MethodPair> pairs;         // each once, method < other; empty for two methods
  Interval gap;                          // upper - lower in mean AP, paired; n = 0 where either is not there
  std::vector<ScoreSummary> teachers;    // per class, AP and AP50 of its best teacher; n = 0: none is known
  std::vector<std::string> verdicts;     // the result in a few sentences, the most important first
  std::vector<std::string> notes;        // what to bear in mind: runs that are missing or failed, few seeds, ...
};

// The run of methods[method] with seeds[seed].
inline const ComparedRun& run_of(const Comparison& comparison, std::size_t method, std::size_t seed) {
  return comparison.runs[method * comparison.seeds.size() + seed];
}

}  // namespace conclave
