#pragma once

#include <functional>
#include <memory>

#include "student/options.h"
#include "teachers/target_source.h"

namespace conclave {

// What a finished run reports; written to <run>/result.json as well.
struct RunResult {
  std::int64_t steps = 0;
  double seconds = 0;            // of training, without set-up and final evaluation
  double images_per_second = 0;
  SourceStats source;
};

// Trains the student of `options` into its run folder: weights/{best,last}.safetensors, checkpoint/, metrics.jsonl,
// TensorBoard events. `source` answers for options.teachers in their order (make_empty_source() for methods without).
// Continues from the newest checkpoint when `resume`. Bit-identical for the same options, build and hardware whatever the
// source. Throws Error: kDiverged for a non-finite loss, kStalled and kInterrupted after a checkpoint was written.
class Trainer {
 public:
  Trainer(RunOptions options, std::vector<TeacherChannels> teachers);
  ~Trainer();

  RunResult run(TargetSource& source, bool resume);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace conclave
