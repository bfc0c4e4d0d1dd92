#pragma once

#include <memory>
#include <string>

#include "ranks/process_group.h"
#include "student/options.h"
#include "student/pseudo_boxes.h"
#include "student/step_rates.h"
#include "teachers/target_source.h"

namespace conclave {

// What a finished run reports.
struct RunResult {
  std::int64_t steps = 0;
  std::int64_t resumed_after = 0;  // steps that earlier processes had done
  TimeSpent spent;                 // by all processes of a resumed run, on this rank
  double images_per_second = 0;
  SourceStats source;                             // of this process
  std::vector<ClassThreshold> pseudo_thresholds;  // per class, where pseudo labels were made
};

// Throws Error (Exit::kUsage) for options out of range, such as a batch that can't be shared equally by the ranks, and
// for a device that is not there.
void check_options(const RunOptions& options, const World& world);

// Trains the student of `options` into its run folder: weights/{best,last}.safetensors, checkpoint/, metrics.jsonl,
// trace.txt, TensorBoard events. `source` answers for options.teachers in their order (make_empty_source() for methods
// without). Continues from the newest checkpoint when `resume`. Bit-identical for the same options, build and hardware
// whatever the source. Throws Error: kDiverged for a non-finite loss, kStalled and kInterrupted after a checkpoint was
// written.
//
// With several ranks each of them runs this with a source of its own and takes its part of every batch; what is learnt
// is, but for rounding, what one process learns from the whole batches. Rank 0 writes the run's files, the others none;
// an Error on one rank ends all of them, and a signal to one stops all after the same step.
class Trainer {
 public:
  // Loads the sets and derives the coverage, so that everything wrong with them is found before a worker starts. Writes
  // nothing. Throws Error as load_dataset, derive_coverage and check_options do. The group must outlive the trainer.
  Trainer(RunOptions options, std::vector<TeacherChannels> teachers, ProcessGroup& ranks);
  Trainer(RunOptions options, std::vector<TeacherChannels> teachers);  // in one process
  ~Trainer();

  const Coverage& coverage() const;
  const std::vector<Dataset>& datasets() const;  // data.train
  std::string coverage_text() const;             // the table

  // Throws Error (Exit::kUsage) on all ranks where one differs from rank 0 in what decides the result or when ranks
  // meet. run() begins with it; a caller that lets ranks meet before calls it first.
  void check_ranks(bool resume);

  // Call once. `config`: its text becomes the run's config.yaml as soon as nothing forbids that the run begins or goes
  // on; empty: the file stays as it is.
  RunResult run(TargetSource& source, bool resume, const std::string& config = {});

 private:
  struct State;
  void prepare(RunOptions options, std::vector<TeacherChannels> teachers);
  std::unique_ptr<State> state_;
};

}  // namespace conclave
