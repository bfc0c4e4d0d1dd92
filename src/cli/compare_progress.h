#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/compare_estimate.h"
#include "cli/compare_plan.h"
#include "cli/task_runner.h"
#include "core/error.h"
#include "jobs/comparison.h"

namespace conclave {

// One plan's tasks on their way, and the results after each. A plan of probes alone has no results.
class CompareProgress {
 public:
  // `plan` must outlive it.
  explicit CompareProgress(const ComparePlan& plan);

  // Runs what is missing, and writes the results after every run and at the end. What goes wrong with the results on
  // the way is warned of and stops nothing. Throws Error when a stop was asked for (Exit::kInterrupted) and when the
  // results can't be written at the end.
  void run();

  // What failed and may not, all in one; nothing: all is well.
  std::optional<Error> failure() const;

  // REQUIRES: the plan has runs.
  const Comparison& comparison() const { return *comparison_; }

 private:
  void warn_of_other_builds() const;
  void waited(std::size_t task);
  void ended(std::size_t task);
  std::string take_into_results(std::size_t task);
  void write();
  void draw();
  void idle(double now);

  const ComparePlan& plan_;
  std::vector<Task> tasks_;
  CompareEstimate estimate_;
  std::optional<Comparison> comparison_;  // absent while only probes and steps run
  double now_ = 0, noticed_ = 0;
};

}  // namespace conclave
