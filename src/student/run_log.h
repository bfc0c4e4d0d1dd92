#pragma once

#include "core/clock.h"
#include "datasets/coco_ap.h"
#include "student/metrics.h"
#include "student/options.h"
#include "student/progress.h"
#include "student/run_folder.h"
#include "student/step_rates.h"
#include "student/step_values.h"
#include "student/tensorboard.h"

namespace conclave {

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
  StepMeter meter_;  // since the last row in metrics.jsonl
};

}  // namespace conclave
