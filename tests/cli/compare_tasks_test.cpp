#include "cli/compare_tasks.h"

#include <gmock/gmock.h>

#include "cli/compared_runs.h"
#include "cli/config_run.h"
#include "core/error.h"

namespace conclave {
namespace {

using testing::HasSubstr;

TEST(CompareTasks, AStepThatNothingUnfinishedNeedsIsNotRunAgain) {
  ComparedRuns runs;
  PlannedTask split, teacher;
  split.name = "split";
  split.marker = runs / "done/split";
  teacher.name = "teacher";
  teacher.marker = runs / "teacher/result.json";
  teacher.after = {0};
  runs.plan.tasks.insert(runs.plan.tasks.begin(), {split, teacher});
  for (std::size_t& run : runs.plan.runs) run += 2;
  for (const std::size_t run : {0, 1, 2, 3}) {
    runs.task(run).after = {1};
    runs.leave(run, "{}", run != 3);
  }
  for (const std::size_t step : {0, 1}) EXPECT_EQ(tasks_of(runs.plan)[step].state, TaskState::kWaiting);
  runs.leave(3, "{}", true);
  for (const std::size_t step : {0, 1}) EXPECT_EQ(tasks_of(runs.plan)[step].state, TaskState::kDone);
}

TEST(CompareTasks, ARunThatMayFailAndDivergedIsNotRunAgainWhileItsConfigurationIsThis) {
  ComparedRuns runs;
  PlannedTask& planned = runs.task(1);
  const std::string config = runs.write("run.yaml",
                                        "run: out\nclasses: [x]\ntraining: {batch: 4, steps: 10, warmup: 0}\n"
                                        "data: {train: [{name: s, images: i, annotations: s.json}]}\n"
                                        "fusion: {method: labels}\n");
  planned.words = {"train", config, "training.lr=1", "--resume"};
  planned.may_fail = true;
  runs.write("runs/1/config.yaml", resolved_config(config, {"training.lr=1"}));
  Task failed = tasks_of(runs.plan)[1];
  EXPECT_EQ(failed.state, TaskState::kWaiting);
  failed.failure = "ended with code 1";
  failed.code = static_cast<int>(Exit::kFailure);
  keep_divergence(planned, failed);
  EXPECT_EQ(tasks_of(runs.plan)[1].state, TaskState::kWaiting) << "no divergence: a full disk, say";
  failed.failure = "the loss is not finite";
  failed.code = static_cast<int>(Exit::kDiverged);
  keep_divergence(planned, failed);
  EXPECT_EQ(tasks_of(runs.plan)[1].state, TaskState::kFailed);
  EXPECT_THAT(tasks_of(runs.plan)[1].failure, HasSubstr("not finite"));
  planned.words[2] = "training.lr=2";
  EXPECT_EQ(tasks_of(runs.plan)[1].state, TaskState::kWaiting);
  planned.words[2] = "training.lr=1";
  planned.may_fail = false;
  EXPECT_EQ(tasks_of(runs.plan)[1].state, TaskState::kWaiting) << "it must succeed now";
}

}  // namespace
}  // namespace conclave
