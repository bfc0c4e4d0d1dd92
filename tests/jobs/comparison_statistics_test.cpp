#include "jobs/comparison_statistics.h"

#include <gmock/gmock.h>

#include <cmath>

#include "compared_methods.h"
#include "core/random.h"
#include "jobs/comparison_verdict.h"

namespace conclave {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

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

// The last part of a resumed run alone is known of its teachers.
TEST(ComparisonStatistics, CostLeavesTheTeachersOfResumedRunsOut) {
  Comparison comparison = comparison_of({{"kd", {0.5, 0.6}}, {"labels", {0.5, 0.5}}}, "labels");
  for (std::size_t s = 0; s < 2; ++s) {
    RunRecord& record = comparison.runs[s].record;
    record.training = training(10, 2, 1);
    record.training->labelling = 4;
    record.training->teacher_busy = {{"a", 5.0}};
    record.wire.emplace();
    record.wire->views = 100;
    record.stored_views = 10;
  }
  RunRecord& resumed = comparison.runs[1].record;
  resumed.training->resumed_after = 900;
  resumed.training->teacher_busy = {{"a", 1.0}};
  resumed.wire->views = 7;
  resumed.stored_views = 3;
  summarise(comparison);
  const MethodCost& cost = comparison.summaries[0].cost;
  EXPECT_EQ(cost.teacher_busy, 5.0);
  EXPECT_EQ(cost.views_asked, 100.0);
  EXPECT_EQ(cost.views_stored, 10.0);
  EXPECT_EQ(cost.seconds, 10.0);
  EXPECT_EQ(cost.labelling, 4.0);
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

TEST(Verdict, ClaimsADifferenceOnlyWhereTheIntervalExcludesZero) {
  EXPECT_EQ(verdict_on("kd", "pseudo", {0.02, 0.005, 0.035, 5}),
            "kd is better than pseudo: +2.0 AP [+0.5, +3.5] over 5 seeds.");
  EXPECT_EQ(verdict_on("kd", "pseudo", {-0.02, -0.035, -0.005, 5}),
            "kd is worse than pseudo: -2.0 AP [-3.5, -0.5] over 5 seeds.");
  EXPECT_EQ(verdict_on("kd", "pseudo", {0.01, -0.005, 0.025, 3}),
            "No difference shown between kd and pseudo: 3 seeds leave anything from -0.5 to +2.5 AP possible.");
}

TEST(Verdict, SaysHowLittleFewSeedsTell) {
  EXPECT_THAT(verdict_on("kd", "pseudo", {0.01, -0.02, 0.04, 2}), HasSubstr("Two seeds make the interval wide"));
  const std::string one = verdict_on("kd", "pseudo", mean_interval(std::vector<double>{0.1}));
  EXPECT_THAT(one, StartsWith("No judgement"));
  EXPECT_THAT(one, HasSubstr("+10.0 AP"));
  EXPECT_THAT(verdict_on("kd", "pseudo", {}), StartsWith("Not compared"));
  Comparison comparison = comparison_of({{"kd", {0.5}}, {"pseudo", {0.4}}}, "pseudo");
  summarise(comparison);
  EXPECT_THAT(comparison.notes, ::testing::Contains(HasSubstr("no intervals")));
  for (const std::string& sentence : comparison.verdicts) EXPECT_THAT(sentence, Not(HasSubstr("etter than")));
}

TEST(Verdict, NamesTheSeedsThatAMethodLacks) {
  Comparison comparison = comparison_of(
      {{"kd", {0.5, -1, 0.6}}, {"pseudo", {0.4, -1, -1}}, {"ignore", {0.3, -1, -1}}, {"labels", {0.5, 0.5, 0.5}}},
      "labels");
  comparison.runs[1].state = RunState::kFailed;
  summarise(comparison);
  EXPECT_EQ(comparison.verdicts.at(1),
            "Not every method has every seed: seed 1 failed (kd); seeds 1, 2 are missing (pseudo, ignore).");
  EXPECT_THAT(comparison.summaries[0].verdict, HasSubstr(" Of its seeds, seed 1 failed."));
  EXPECT_THAT(comparison.summaries[3].verdict, Not(HasSubstr("seeds, ")));
}

TEST(Verdict, SaysOnceWhatAllMethodsLackAndNothingWhereNoneDoes) {
  Comparison comparison = comparison_of({{"kd", {0.5, 0.4, -1}}, {"labels", {0.5, 0.5, -1}}}, "labels");
  summarise(comparison);
  EXPECT_EQ(comparison.verdicts.at(1), "Not every method has every seed: seed 2 is missing (all methods).");
  comparison = comparison_of({{"kd", {0.5, 0.6}}, {"labels", {0.5, 0.5}}}, "labels");
  summarise(comparison);
  for (const std::string& sentence : comparison.verdicts) EXPECT_THAT(sentence, Not(HasSubstr("Not every")));
}

TEST(Verdict, NotesWhatElseDiffersBetweenMethods) {
  Comparison comparison = comparison_of({{"kd", {0.5, 0.6, 0.5}}, {"labels", {0.5, 0.5, 0.6}}}, "labels");
  summarise(comparison);
  EXPECT_TRUE(comparison.notes.empty());
  comparison.methods[0].init = "x.safetensors";
  comparison.runs[0].record.environment = {{"version", "1.0"}};
  comparison.runs[4].record.environment = {{"version", "1.1"}};
  summarise(comparison);
  EXPECT_THAT(comparison.notes, ::testing::Contains(HasSubstr("none (labels); x.safetensors (kd)")));
  EXPECT_THAT(comparison.notes, ::testing::Contains(HasSubstr("different versions of the program: 1.0, 1.1")));
  comparison.methods[0].choice = "val, every 250 steps";
  comparison.methods[1].choice = "the last ones";
  comparison.runs[1].record.student->images = 72;
  comparison.runs[1].record.student->seen_images = 12;
  summarise(comparison);
  EXPECT_THAT(comparison.notes, ::testing::Contains(HasSubstr("the last ones (labels); val, every 250 steps (kd)")));
  EXPECT_THAT(comparison.notes, ::testing::Contains(HasSubstr("images of the test set, which says nothing about new "
                                                              "images: kd (12 of 72)")));
}

TEST(Verdict, RoundingNeverHidesTheSideOfZero) {
  EXPECT_THAT(verdict_on("kd", "pseudo", {0.004, 0.0001, 0.0079, 5}), HasSubstr("[+0.01, +0.79]"));
  EXPECT_THAT(verdict_on("kd", "pseudo", {0.004, -0.0001, 0.0079, 5}), HasSubstr("-0.01 to +0.79"));
}

// The AP of one configuration under ten seeds, taken for two methods.
TEST(Verdict, AMethodAgainstItselfUnderOtherSeedsShowsNoDifference) {
  Comparison comparison = comparison_of(
      {{"kd", {0.505, 0.495, 0.494, 0.512, 0.501}}, {"kd_again", {0.499, 0.508, 0.503, 0.491, 0.504}}}, "kd");
  summarise(comparison);
  EXPECT_THAT(comparison.summaries[1].verdict, StartsWith("No difference shown between kd_again and kd: 5 seeds"));
  EXPECT_THAT(comparison.verdicts, ::testing::Contains(HasSubstr("No difference shown to kd: kd_again")));
}

// However the runs of one method are dealt to two names, it is called different about once in twenty times.
TEST(Verdict, RunsOfOneMethodDealtToTwoNamesRarelyDiffer) {
  CounterRandom random(7);
  int claimed = 0;
  constexpr int kDeals = 1000;
  for (int deal = 0; deal < kDeals; ++deal) {
    std::vector<double> pool;
    for (int i = 0; i < 10; ++i) pool.push_back(0.5 + 0.01 * random.normal());
    const auto order = permutation(10, static_cast<std::uint64_t>(deal));
    ComparedScores one{"one", {}}, two{"two", {}};
    for (std::size_t i = 0; i < 10; ++i) (i < 5 ? one : two).ap.push_back(pool[order[i]]);
    Comparison comparison = comparison_of({one, two}, "one");
    summarise(comparison);
    claimed += comparison.summaries[1].verdict.find("No difference shown") != 0 ? 1 : 0;
  }
  EXPECT_GT(claimed, kDeals / 50);
  EXPECT_LT(claimed, kDeals / 12);
}

TEST(Verdict, NamesTheBestTheBetterTheWorseAndTheGap) {
  Comparison comparison = comparison_of({{"labels", {0.52, 0.51, 0.53}},
                                         {"kd", {0.51, 0.50, 0.521}},
                                         {"pseudo", {0.49, 0.48, 0.50}},
                                         {"ignore", {0.47, 0.461, 0.48}}},
                                        "pseudo");
  comparison.lower = "ignore";
  comparison.upper = "labels";
  summarise(comparison);
  EXPECT_THAT(comparison.verdicts.at(0), StartsWith("The highest mean AP is that of labels: 52.0 ["));
  EXPECT_THAT(comparison.verdicts.at(1), StartsWith("Better than pseudo: labels (+3.0 AP ["));
  EXPECT_THAT(comparison.verdicts.at(1), HasSubstr("kd (+2.0 AP ["));
  EXPECT_THAT(comparison.verdicts.at(2), StartsWith("Worse than pseudo: ignore (-2.0 AP ["));
  EXPECT_THAT(comparison.verdicts.at(3), HasSubstr("between ignore and labels that is closed: kd 81 % [77, 84]"));
}

}  // namespace
}  // namespace conclave
