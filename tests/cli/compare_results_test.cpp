#include "cli/compare_results.h"

#include <gmock/gmock.h>

#include "cli/compared_runs.h"
#include "cli/version.h"
#include "jobs/comparison_statistics.h"

namespace conclave {
namespace {

using testing::Contains;
using testing::HasSubstr;

std::string result_of(const std::string& version) {
  return R"({"name": "r", "environment": {"version": ")" + version + R"("}})";
}

TEST(CompareResults, OnlyAMethodThatDistilsHasALoss) {
  const ComparedRuns runs;
  const Comparison comparison = read_comparison(runs.plan);
  EXPECT_EQ(comparison.methods[0].loss, "qfl");
  EXPECT_EQ(comparison.methods[1].supervision, "pseudo");
  EXPECT_EQ(comparison.methods[1].loss, "") << "its labels are learnt as any labels";
}

TEST(CompareResults, ARunThatCannotBeReadHasFailedWithTheReason) {
  const ComparedRuns runs;
  runs.leave(0, "{}", true);
  runs.leave(1, "{", true);
  runs.leave(2, "{}", false);
  const Comparison comparison = read_comparison(runs.plan);
  EXPECT_EQ(comparison.runs[0].state, RunState::kDone);
  EXPECT_EQ(comparison.runs[1].state, RunState::kFailed);
  EXPECT_THAT(comparison.runs[1].failure, HasSubstr("runs/1/result.json"));
  EXPECT_THAT(comparison.runs[1].failure, HasSubstr("runs/1 away to train it anew"));
  EXPECT_EQ(comparison.runs[2].state, RunState::kMissing) << "no report: it ended before it had finished";
}

TEST(CompareResults, RunsOfAnotherBuildAreNamedAndNoted) {
  const ComparedRuns runs;
  runs.leave(0, result_of(version_and_build()), true);
  runs.leave(1, result_of("0.1.0+aaaa"), true);
  runs.leave(2, result_of("0.1.0+bbbb"), true);
  runs.leave(3, "{}", true);  // of before there were versions
  Comparison comparison = read_comparison(runs.plan);
  EXPECT_EQ(runs_of_other_builds(comparison, version_and_build()), "kd (seed 1), pseudo (seeds 0, 1)");
  summarise(comparison);
  EXPECT_THAT(comparison.notes, Contains(HasSubstr("0.1.0+aaaa")));
  runs.leave(1, result_of(version_and_build()), true);
  for (const std::size_t run : {2, 3}) runs.leave(run, result_of(version_and_build()), true);
  comparison = read_comparison(runs.plan);
  EXPECT_EQ(runs_of_other_builds(comparison, version_and_build()), "");
  summarise(comparison);
  EXPECT_THAT(comparison.notes, testing::Not(Contains(HasSubstr("versions of the program"))));
}

TEST(CompareResults, TheVersionTellsBuildsApart) {
  EXPECT_THAT(version_and_build(), testing::MatchesRegex("[0-9.]+\\+[0-9a-f]{12}"));
}

}  // namespace
}  // namespace conclave
