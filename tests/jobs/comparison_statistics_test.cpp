#include "jobs/comparison_statistics.h"

#include <gmock/gmock.h>

#include <cmath>

#include "compared_methods.h"

namespace conclave {
namespace {

using ::testing::HasSubstr;

const std::vector<ComparedScores> kScores = {{"labels", {0.511, 0.509, 0.495}},
                                             {"kd", {0.505, 0.495, 0.494}},
                                             {"pseudo", {0.499, 0.481, 0.484}},
                                             {"ignore", {0.471, 0.475, 0.470}}};

TEST(ComparisonStatistics, MeansAndDifferencesArePairedBySeed) {
  Comparison comparison = comparison_of(kScores, "pseudo");
  summarise(comparison);
  const MethodSummary& kd = comparison.summaries.at(1);
  EXPECT_NEAR(kd.all.ap.mean, 0.498, 1e-12);
  EXPECT_EQ(kd.all.ap.n, 3);
  EXPECT_NEAR(kd.all.ap_difference.mean, (0.006 + 0.014 + 0.010) / 3, 1e-12);
  EXPECT_NEAR(kd.all.ap50_difference.mean, 0.02, 1e-12);
  // scipy.stats.t.interval(0.95, 2, loc=0.01, scale=0.004/sqrt(3))
  EXPECT_NEAR(kd.all.ap_difference.low, 0.01 - 4.302652729749462 * 0.004 / std::sqrt(3), 1e-9);
  ASSERT_EQ(kd.per_class.size(), 2u);
  EXPECT_NEAR(kd.per_class[0].ap_difference.mean, 0.009, 1e-12);
  EXPECT_NEAR(kd.per_class[1].ap.mean, 1.1 * 0.498, 1e-12);
  EXPECT_EQ(comparison.summaries.at(2).all.ap_difference.n, 0) << "the baseline against itself";
  EXPECT_EQ(comparison.summaries.at(2).verdict, "");
}

TEST(ComparisonStatistics, OnlySeedsThatBothHaveArePaired) {
  Comparison comparison = comparison_of({{"kd", {0.5, -1, 0.6}}, {"pseudo", {0.4, 0.1, 0.45}}}, "pseudo");
  summarise(comparison);
  EXPECT_EQ(comparison.summaries[0].all.ap.n, 2);
  EXPECT_EQ(comparison.summaries[0].all.ap_difference.n, 2);
  EXPECT_NEAR(comparison.summaries[0].all.ap_difference.mean, 0.125, 1e-12);
  EXPECT_THAT(comparison.notes, ::testing::Contains(HasSubstr("1 of 6 runs are missing")));
}

TEST(ComparisonStatistics, TheGapIsMeasuredBetweenTheNamedMethods) {
  Comparison comparison = comparison_of(kScores, "pseudo");
  comparison.lower = "ignore";
  comparison.upper = "labels";
  summarise(comparison);
  const double gap = (0.511 + 0.509 + 0.495 - 0.471 - 0.475 - 0.470) / 3;
  EXPECT_NEAR(comparison.summaries[1].gap_closed.mean, (0.505 + 0.495 + 0.494 - 0.471 - 0.475 - 0.470) / 3 / gap, 1e-9);
  EXPECT_TRUE(comparison.summaries[1].gap_closed.bounded());
  EXPECT_EQ(comparison.summaries[0].gap_closed.n, 0);
  EXPECT_EQ(comparison.summaries[3].gap_closed.n, 0);
}

// The gap itself may be zero: a ratio of two such means tells nothing.
TEST(ComparisonStatistics, NoShareOfAGapThatMayBeNone) {
  Comparison comparison = comparison_of(
      {{"labels", {0.47, 0.48, 0.46}}, {"kd", {0.50, 0.49, 0.48}}, {"ignore", {0.471, 0.475, 0.462}}}, "ignore");
  comparison.lower = "ignore";
  comparison.upper = "labels";
  summarise(comparison);
  EXPECT_NEAR(comparison.gap.mean, (0.47 + 0.48 + 0.46 - 0.471 - 0.475 - 0.462) / 3, 1e-12);
  EXPECT_EQ(comparison.summaries[1].gap_closed.n, 3);
  EXPECT_TRUE(std::isnan(comparison.summaries[1].gap_closed.mean));
  std::swap(comparison.lower, comparison.upper);
  for (std::size_t s = 0; s < 3; ++s) comparison.runs[6 + s].record.student->all = numbers_of(0.3);
  summarise(comparison);
  EXPECT_LT(comparison.gap.high, 0);
  EXPECT_TRUE(std::isnan(comparison.summaries[1].gap_closed.mean)) << "the upper one is below";
}

TEST(ComparisonStatistics, EveryPairIsComparedOnceOverTheSeedsThatBothHave) {
  Comparison comparison = comparison_of(
      {{"labels", {0.51, 0.50, 0.49}}, {"kd", {0.505, 0.495, 0.494}}, {"pseudo", {0.49, 0.48, -1}}}, "labels");
  summarise(comparison);
  ASSERT_EQ(comparison.pairs.size(), 3u);
  const MethodPair& pair = comparison.pairs[2];
  EXPECT_EQ(pair.method, 1u);
  EXPECT_EQ(pair.other, 2u);
  EXPECT_EQ(pair.ap.n, 2);
  EXPECT_NEAR(pair.ap.mean, 0.015, 1e-12);
  EXPECT_NEAR(pair.ap50.mean, 0.03, 1e-12);
  EXPECT_NEAR(comparison.pairs[0].ap.mean, -comparison.summaries[1].all.ap_difference.mean, 1e-15);
  comparison = comparison_of({{"kd", {0.5}}, {"labels", {0.5}}}, "labels");
  summarise(comparison);
  EXPECT_TRUE(comparison.pairs.empty()) << "it is the difference to the baseline";
}

TEST(ComparisonStatistics, TheShiftOfAMethodsSeedsIsThatOfItsRuns) {
  Comparison comparison = comparison_of({{"kd", {-1, 0.5}}, {"again", {0.5, 0.6}}}, "kd");
  comparison.runs[1].record.seed = 1;
  comparison.runs[2].record.seed = 1000;
  comparison.runs[3].record.seed = 1001;
  summarise(comparison);
  EXPECT_EQ(comparison.summaries[0].seed_shift, 0);
  EXPECT_EQ(comparison.summaries[1].seed_shift, 1000);
}

TEST(ComparisonStatistics, RetentionIsAgainstTheBestTeacherOfTheClassAlsoForMethodsThatAskNone) {
  Comparison comparison = comparison_of({{"labels", {0.5, 0.6}}, {"kd", {0.4, 0.5}}}, "labels");
  for (std::size_t s = 0; s < 2; ++s) {
    TeacherResult good, bad;
    good.per_class["a"] = numbers_of(0.36 + 0.09 * static_cast<double>(s));
    bad.per_class["a"] = numbers_of(0.2);
    comparison.runs[2 + s].record.teachers = {bad, good};
  }
  summarise(comparison);
  EXPECT_NEAR(comparison.summaries[1].per_class[0].ap_retention.mean, 1.0, 1e-12);
  EXPECT_NEAR(comparison.summaries[0].per_class[0].ap_retention.mean, (0.45 / 0.36 + 0.54 / 0.45) / 2, 1e-12);
  EXPECT_EQ(comparison.summaries[0].per_class[1].ap_retention.n, 0) << "no teacher knows class b";
  const ScoreSummary& kd = comparison.summaries[1].per_class[0];
  EXPECT_NEAR(kd.ap_less_teacher.mean, 0, 1e-12);
  const ScoreSummary& labels = comparison.summaries[0].per_class[0];
  EXPECT_NEAR(labels.ap_less_teacher.mean, (0.45 - 0.36 + 0.54 - 0.45) / 2, 1e-12);
  EXPECT_NEAR(labels.ap50_less_teacher.mean, 2 * 0.09, 1e-12);
  EXPECT_EQ(labels.ap50_less_teacher.n, 2);
  EXPECT_EQ(comparison.summaries[0].per_class[1].ap_less_teacher.n, 0);
  EXPECT_NEAR(comparison.teachers.at(0).ap.mean, (0.36 + 0.45) / 2, 1e-12);
  EXPECT_EQ(comparison.teachers.at(1).ap.n, 0);
}

TEST(ComparisonStatistics, CostIsTheMeanOfWhatRunsTell) {
  Comparison comparison = comparison_of({{"kd", {0.4, 0.5}}, {"labels", {0.5, 0.6}}}, "labels");
  comparison.runs[0].record.training = training(20.0, 4.0, 3.0);
  comparison.runs[1].record.training = training(40.0, 2.0, Interval::kNone);
  comparison.runs[0].record.wire = WireResult{80, 0, {{"x", 1000.0}, {"y", 500.0}}};
  summarise(comparison);
  const MethodCost& cost = comparison.summaries[0].cost;
  EXPECT_EQ(cost.seconds, 30.0);
  EXPECT_EQ(cost.images_per_second, 3.0);
  EXPECT_EQ(cost.teacher_wait, 3.0);
  EXPECT_EQ(cost.wire_bytes_per_view, 1500.0);
  EXPECT_TRUE(std::isnan(comparison.summaries[1].cost.seconds));
}

// The last part of a resumed run alone is known of its teachers and its memory.
TEST(ComparisonStatistics, CostLeavesTheTeachersAndTheMemoryOfResumedRunsOut) {
  Comparison comparison = comparison_of({{"kd", {0.5, 0.6}}, {"labels", {0.5, 0.5}}}, "labels");
  for (std::size_t s = 0; s < 2; ++s) {
    RunRecord& record = comparison.runs[s].record;
    record.training = training(10, 2, 1);
    record.training->labelling = 4;
    record.training->teacher_busy = {{"a", 5.0}};
    record.training->images = 800;
    record.training->trainer_memory = 8e8;
    record.training->worker_memory = 4e8;
    record.wire.emplace();
    record.wire->views = 100;
    record.stored_views = 10;
  }
  RunRecord& resumed = comparison.runs[1].record;
  resumed.training->resumed_after = 900;
  resumed.training->teacher_busy = {{"a", 1.0}};
  resumed.training->trainer_memory = 2e8;
  resumed.training->worker_memory = 1e8;
  resumed.wire->views = 7;
  resumed.stored_views = 3;
  summarise(comparison);
  const MethodCost& cost = comparison.summaries[0].cost;
  EXPECT_EQ(cost.teacher_busy, 5.0);
  EXPECT_EQ(cost.views_asked, 100.0);
  EXPECT_EQ(cost.views_stored, 10.0);
  EXPECT_EQ(cost.seconds, 10.0);
  EXPECT_EQ(cost.labelling, 4.0);
  EXPECT_EQ(cost.images, 800.0);
  EXPECT_EQ(cost.trainer_memory, 8e8);
  EXPECT_EQ(cost.worker_memory, 4e8);
}

TEST(ComparisonStatistics, TheBestTeacherIsThatOfAnyMethod) {
  Comparison comparison = comparison_of({{"weak", {0.4}}, {"strong", {0.5}}, {"labels", {0.6}}}, "labels");
  comparison.runs[0].record.teachers = {{"small", {"a"}, {{"a", numbers_of(0.3)}}}};
  comparison.runs[1].record.teachers = {{"large", {"a"}, {{"a", numbers_of(0.6)}}}};
  summarise(comparison);
  EXPECT_DOUBLE_EQ(comparison.teachers[0].ap.mean, 0.6);
  EXPECT_DOUBLE_EQ(comparison.summaries[0].per_class[0].ap_retention.mean, 0.9 * 0.4 / 0.3) << "its own";
  EXPECT_DOUBLE_EQ(comparison.summaries[2].per_class[0].ap_retention.mean, 0.9 * 0.6 / 0.6) << "it asks none";
}

}  // namespace
}  // namespace conclave
