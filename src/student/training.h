#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "monitor/phases.h"
#include "ranks/process_group.h"
#include "student/pseudo_boxes.h"
#include "student/run_facts.h"
#include "student/run_folder.h"
#include "student/run_log.h"
#include "student/sampler.h"
#include "student/status_board.h"
#include "student/step_rates.h"
#include "student/student_state.h"
#include "student/trainer.h"
#include "student/write_behind.h"
#include "teachers/window.h"

namespace conclave {

// What a training works on; all of it outlives the training.
struct TrainingInput {
  const RunOptions& options;
  const std::vector<Dataset>& datasets;
  const std::optional<Dataset>& val;
  const Coverage& coverage;
  const std::vector<TeacherChannels>& teachers;  // that are asked for every view
  ProcessGroup& ranks;
  PseudoRule pseudo = {};  // where pseudo labels are made per view
  double labelling = 0;    // TimeSpent::labelling
};

// Throws Error where the newest checkpoint of the folder belongs to a run with other facts. Changes nothing.
void check_resumable(const RunFolder& folder, const RunFacts& facts);

// One run, from its newest checkpoint or the start, to the end: the loop. (resume)? run. Every rank has its own and
// makes the same calls.
class Training {
 public:
  Training(const TrainingInput& input, RunFacts facts);

  // Goes on after the newest checkpoint that rank 0 finds, or from the start where there is none.
  void resume();
  // Throws as Trainer::run does.
  RunResult run(TargetSource& source);

 private:
  void load();
  std::uint64_t position_of(std::uint64_t n) const;
  std::vector<JoinedView> take(Window& window);
  HeadOutputs forward(const at::Tensor& pixels);
  HeadOutputs forward(Detector& model, const at::Tensor& pixels);
  const TensorMap& shipped();
  bool retakes_statistics() const;
  void retake_statistics_of_mean();
  Sampler make_sampler(std::uint64_t views) const;
  void log_step(double lr, const StepValues& values, const Window& window);
  bool evaluation_due() const;
  void evaluate();
  void save(bool may_retake = true);  // false: where that needs images, the weights shipped stay as they are
  void saved_if_it_fails(const std::function<void()>& action);
  void on_writer(const std::function<void()>& action);
  void check_weights(const TensorMap& weights, const std::filesystem::path& path) const;
  Error interrupted() const;

  const RunOptions& options_;
  const TrainOptions& training_;
  const std::vector<Dataset>& datasets_;
  const std::optional<Dataset>& val_;
  const Coverage& coverage_;
  const std::vector<TeacherChannels>& teachers_;
  ProcessGroup& ranks_;
  const PseudoRule pseudo_;
  const RunFacts facts_;
  const std::string validation_;  // data.val's content
  const RunFolder folder_;
  const int share_;  // views of this rank in a batch
  const at::Device device_;
  const ModelSpec spec_;
  const SystemClock clock_;
  StudentState student_;
  std::shared_ptr<Detector> shown_;  // what is evaluated; made on first use
  std::shared_ptr<Detector> mean_;   // of training.swa; made on first use
  TensorMap shipped_;                // what is shipped after step shipped_at_
  std::int64_t shipped_at_ = -1;
  std::int64_t step_ = 0;        // optimizer steps done
  std::int64_t saved_step_ = 0;  // of the newest checkpoint that is written or being written
  std::int64_t evaluated_ = 0;   // the step of the newest evaluation
  double best_ = -1;
  TimeSpent before_;  // in earlier processes
  TimeSpent spent_;   // in this one
  Phases phases_;
  std::optional<TraceFile> trace_;
  std::unique_ptr<RunLog> run_log_;  // on the rank that writes
  std::unique_ptr<StatusBoard> board_;
  WriteBehind writer_;  // of checkpoints; last, so that what it writes outlives it
};

}  // namespace conclave
