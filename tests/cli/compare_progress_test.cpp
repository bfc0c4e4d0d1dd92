#include "cli/compare_progress.h"

#include <gmock/gmock.h>

#include "cli/compared_runs.h"
#include "core/file.h"

namespace conclave {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(CompareProgress, AResultThatCannotBeReadIsAFailedRunAndStopsNothing) {
  const ComparedRuns runs;
  runs.leave(0, "{", true);   // was there before
  runs.leave(1, "{", false);  // comes now
  runs.leave(2, "{}", false);
  runs.leave(3, "{}", false);
  CompareProgress progress(runs.plan);
  progress.run();
  const Comparison& comparison = progress.comparison();
  EXPECT_EQ(comparison.runs[0].state, RunState::kFailed);
  EXPECT_EQ(comparison.runs[1].state, RunState::kFailed);
  EXPECT_EQ(comparison.runs[2].state, RunState::kDone);
  EXPECT_EQ(comparison.runs[3].state, RunState::kDone);
  ASSERT_TRUE(progress.failure());
  EXPECT_THAT(progress.failure()->what(), HasSubstr("2 of 4 tasks failed"));
  EXPECT_THAT(progress.failure()->what(), HasSubstr("kd, seed 1 left what can't be read"));
  EXPECT_TRUE(std::filesystem::exists(runs / "report.html"));
}

TEST(CompareProgress, AReportThatCannotBeWrittenIsAnErrorAtTheEndAlone) {
  const ComparedRuns runs;
  for (const std::size_t run : {0, 1, 2, 3}) runs.leave(run, "{}", false);
  std::filesystem::create_directories(runs / "report.html" / "in the way");
  CompareProgress progress(runs.plan);
  EXPECT_THROW(progress.run(), Error);
  for (const ComparedRun& run : progress.comparison().runs) EXPECT_EQ(run.state, RunState::kDone);
}

TEST(CompareProgress, TheLogBeginsWithTheCommand) {
  const ComparedRuns runs;
  for (const std::size_t run : {0, 1, 2, 3}) runs.leave(run, "{}", false);
  CompareProgress progress(runs.plan);
  progress.run();
  EXPECT_FALSE(progress.failure());
  const std::string log = read_file(runs / "logs/kd0.log");
  EXPECT_THAT(log.substr(0, log.find('\n')), HasSubstr("test_cli '--gtest_filter=-*' none.yaml"));
}

}  // namespace
}  // namespace conclave
