#pragma once

#include "core/clock.h"
#include "datasets/coco_ap.h"
#include "student/metrics.h"
#include "student/options.h"
#include "student/progress.h"
#include "student/run_folder.h"
#include "student/step_values.h"
#include "student/tensorboard.h"

namespace conclave {

// Seconds that a training has spent so far; evaluation is not counted.
struct TimeSpent {
  double training = 0, data_wait = 0, teacher_wait = 0;
};

// Everything that a training writes about its steps: metrics.jsonl, trace.txt, TensorBoard events, the progress line.
class RunLog {
 public:
  // Goes on after `step` steps. images: of one epoch.
  RunLog(const RunFolder& folder, const TrainOptions& options, std::uint64_t images, std::int64_t step);

  // After step number `step` (1-based).
  void step(std::int64_t step, double lr, const StepValues& values, const TimeSpent& spent);
  void evaluation(std::int64_t step, const ApResult& result, const Dataset& dataset);
  void flush();

 private:
  const TrainOptions& options_;
  const double images_;
  SystemClock clock_;
  RowFile metrics_, trace_;
  EventWriter events_;
  Progress progress_;
  std::int64_t first_step_;  // of this process
  std::int64_t row_step_;    // of the last row in metrics.jsonl
  TimeSpent row_spent_;
};

}  // namespace conclave
