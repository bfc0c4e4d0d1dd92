#pragma once

#include <memory>
#include <string>

#include "student/options.h"
#include "teachers/target_source.h"

namespace conclave {

// What a finished run reports.
struct RunResult {
  std::int64_t steps = 0;
  double seconds = 0;  // of training over all parts of a resumed run, without set-up and evaluation
  double images_per_second = 0;
  SourceStats source;  // of this process
};

// Trains the student of `options` into its run folder: weights/{best,last}.safetensors, checkpoint/, metrics.jsonl,
// trace.txt, TensorBoard events. `source` answers for options.teachers in their order (make_empty_source() for methods
// without). Continues from the newest checkpoint when `resume`. Bit-identical for the same options, build and hardware
// whatever the source. Throws Error: kDiverged for a non-finite loss, kStalled and kInterrupted after a checkpoint was
// written.
class Trainer {
 public:
  // Loads the sets and derives the coverage, so that everything wrong with them is found before a worker starts. Writes
  // nothing. Throws Error as load_dataset and derive_coverage do, and for options out of range.
  Trainer(RunOptions options, std::vector<TeacherChannels> teachers);
  ~Trainer();

  const Coverage& coverage() const;
  std::string coverage_text() const;  // the table

  // Call once.
  RunResult run(TargetSource& source, bool resume);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace conclave
