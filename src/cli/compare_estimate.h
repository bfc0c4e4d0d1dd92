#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/compare_plan.h"
#include "cli/task_runner.h"

namespace conclave {

// How long a comparison will take: its tasks, each after what it needs, `slots` side by side (time_of_schedule). For a
// method or step of which a run is finished, the mean of those; for others their images times the time of a training
// step and of the teachers' forward passes, tried out once here, corrected by how wrong that was for what is finished.
// A teacher that a step trains counts as that network, others as the student's; a run whose targets are stored by then
// asks none. Reading images, tests and reports come on top until runs are finished.
class CompareEstimate {
 public:
  // Takes the finished runs' own figures. Tries one training step per network and size, a second or so each.
  explicit CompareEstimate(const ComparePlan& plan);

  // The task took so long.
  void finished(std::size_t task, double seconds);

  // Seconds until all tasks have ended, `now` seconds after run_tasks() began.
  double left(const std::vector<Task>& tasks, double now) const;

 private:
  struct Tried {
    double step = 0, forward = 0;  // seconds per image
  };
  static Tried try_out(const RunOptions& options);
  const Tried& tried(const RunOptions& options);
  double teachers_of(const PlannedTask& task, const std::vector<std::string>& folders);
  double of(std::size_t task) const;

  const ComparePlan& plan_;
  std::map<std::string, Tried> networks_;
  std::vector<double> tried_;                               // per task, by trying out
  std::map<std::string, std::vector<double>> known_;        // finished, by method or step
  double tried_of_finished_ = 0, seconds_of_finished_ = 0;  // sums
};

// "40 s", "12 min", "3.5 h".
std::string rough_time(double seconds);

}  // namespace conclave
