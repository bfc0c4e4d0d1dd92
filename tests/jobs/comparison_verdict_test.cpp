#include "jobs/comparison_verdict.h"

#include <gmock/gmock.h>

#include <cmath>

#include "compared_methods.h"
#include "core/random.h"
#include "jobs/comparison_statistics.h"

namespace conclave {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(Verdict, ClaimsADifferenceOnlyWhereTheIntervalExcludesZero) {
  EXPECT_EQ(verdict_on("kd", "pseudo", {0.02, 0.005, 0.035, 5}),
            "kd is better than pseudo: +2.0 AP [+0.5, +3.5] over 5 seeds.");
  EXPECT_EQ(verdict_on("kd", "pseudo", {-0.02, -0.035, -0.005, 5}),
            "kd is worse than pseudo: -2.0 AP [-3.5, -0.5] over 5 seeds.");
  EXPECT_EQ(verdict_on("kd", "pseudo", {0.01, -0.005, 0.025, 3}),
            "No difference in AP shown between kd and pseudo: 3 seeds leave anything from -0.5 to +2.5 AP possible.");
}

TEST(Verdict, SaysHowLittleFewSeedsTell) {
  EXPECT_THAT(verdict_on("kd", "pseudo", {0.01, -0.02, 0.04, 2}), HasSubstr("Two seeds make the interval wide"));
  const std::string one = verdict_on("kd", "pseudo", mean_interval(std::vector<double>{0.1}));
  EXPECT_THAT(one, StartsWith("No judgement"));
  EXPECT_THAT(one, HasSubstr("+10.0 AP"));
  EXPECT_THAT(verdict_on("kd", "pseudo", {}), StartsWith("Not compared"));
  Comparison comparison = comparison_of({{"kd", {0.5}}, {"pseudo", {0.4}}}, "pseudo");
  summarise(comparison);
  EXPECT_THAT(comparison.notes, Contains(HasSubstr("no intervals")));
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

TEST(Verdict, RoundingNeverHidesTheSideOfZero) {
  EXPECT_THAT(verdict_on("kd", "pseudo", {0.004, 0.0001, 0.0079, 5}), HasSubstr("[+0.01, +0.79]"));
  EXPECT_THAT(verdict_on("kd", "pseudo", {0.004, -0.0001, 0.0079, 5}), HasSubstr("-0.01 to +0.79"));
}

// One method under two names, each run with its own chance on top of what the seed's split does to both. It is called
// different about once in twenty times.
TEST(Verdict, AMethodAgainstItselfUnderOtherSeedsRarelyDiffers) {
  constexpr int kDraws = 1000, kExpected = kDraws / 20;
  const double deviation = std::sqrt(kDraws * 0.05 * 0.95);
  CounterRandom random(7);
  int claimed = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    ComparedScores one{"kd", {}}, two{"kd_again", {}};
    for (int seed = 0; seed < 5; ++seed) {
      const double split = 0.5 + 0.02 * random.normal();
      one.ap.push_back(split + 0.01 * random.normal());
      two.ap.push_back(split + 0.01 * random.normal());
    }
    Comparison comparison = comparison_of({one, two}, "kd");
    summarise(comparison);
    const std::string& verdict = comparison.summaries[1].verdict;
    if (comparison.summaries[1].all.ap_difference.excludes_zero()) {
      ++claimed;
      EXPECT_THAT(verdict,
                  AnyOf(StartsWith("kd_again is better than kd: "), StartsWith("kd_again is worse than kd: ")));
    } else {
      EXPECT_THAT(verdict,
                  StartsWith("No difference in AP shown between kd_again and kd: 5 seeds leave anything from"));
      EXPECT_THAT(comparison.verdicts, Contains(StartsWith("No difference in AP shown to kd: kd_again (")));
    }
  }
  EXPECT_GT(claimed, kExpected - 4 * deviation);
  EXPECT_LT(claimed, kExpected + 4 * deviation);
}

TEST(Verdict, SaysWhereAp50TellsADifference) {
  Comparison comparison =
      comparison_of({{"kd", {0.5, 0.6, 0.5}}, {"pseudo", {0.5, 0.59, 0.51}}, {"ignore", {0.5, 0.6, 0.5}}}, "ignore");
  for (std::size_t s = 0; s < 3; ++s) {
    comparison.runs[s].record.student->all->ap50 += 0.02 + 0.001 * static_cast<double>(s);
  }
  summarise(comparison);
  EXPECT_THAT(comparison.summaries[0].verdict, HasSubstr(" possible. In AP50 kd is better: +2.1 AP50 [+1.9, +2.3]."));
  EXPECT_THAT(comparison.summaries[1].verdict, Not(HasSubstr("AP50")));
  EXPECT_THAT(comparison.verdicts, Contains("Different from ignore in AP50, not in AP: kd (+2.1 AP50 [+1.9, +2.3])."));
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

TEST(Verdict, TellsNoShareOfAGapThatMayBeNone) {
  Comparison comparison = comparison_of(
      {{"labels", {0.47, 0.48, 0.46}}, {"kd", {0.50, 0.49, 0.48}}, {"ignore", {0.471, 0.475, 0.462}}}, "ignore");
  comparison.lower = "ignore";
  comparison.upper = "labels";
  summarise(comparison);
  EXPECT_THAT(comparison.verdicts, Contains("No share of the gap between ignore and labels is told, for there may be "
                                            "none: labels less ignore is +0.1 AP [-0.9, +1.0] over 3 seeds."));
  EXPECT_THAT(comparison.verdicts, Not(Contains(HasSubstr("upper bound")))) << "kd may be better by chance";
}

TEST(Verdict, TellsThatTheUpperMethodIsNoBoundWhereAnotherIsBetter) {
  Comparison comparison = comparison_of(
      {{"labels", {0.47, 0.48, 0.46}}, {"kd", {0.50, 0.511, 0.49}}, {"ignore", {0.40, 0.41, 0.39}}}, "ignore");
  comparison.upper = "labels";
  summarise(comparison);
  EXPECT_THAT(comparison.verdicts, Not(Contains(HasSubstr("upper bound")))) << "no gap was asked about";
  comparison.lower = "ignore";
  summarise(comparison);
  EXPECT_THAT(comparison.verdicts, Contains("labels is no upper bound at this budget: its AP is below that of kd."));
}

TEST(Verdict, TellsRunsWithoutScoresFromNoRuns) {
  Comparison comparison = comparison_of({{"kd", {0.5, 0.6}}, {"pseudo", {0.5, 0.5}}}, "kd");
  for (ComparedRun& run : comparison.runs) run.record.student.reset();
  summarise(comparison);
  EXPECT_THAT(comparison.verdicts.at(0), StartsWith("No finished run has an AP"));
  for (ComparedRun& run : comparison.runs) run.state = RunState::kMissing;
  summarise(comparison);
  EXPECT_THAT(comparison.verdicts.at(0), StartsWith("No run is finished yet"));
}

TEST(Verdict, TakesEqualScoresForNoEffectAndNotForEquality) {
  Comparison comparison = comparison_of({{"kd", {0.5, 0.6, 0.4}}, {"kd2", {0.5, 0.6, 0.4}}}, "kd");
  summarise(comparison);
  EXPECT_EQ(comparison.summaries[1].verdict,
            "kd2 has exactly the AP and AP50 of kd with each of 3 seeds: what sets them apart had no effect.");
  comparison = comparison_of({{"kd", {0, 0, 0}}, {"kd2", {0, 0, 0}}}, "kd");
  summarise(comparison);
  EXPECT_THAT(comparison.summaries[1].verdict, HasSubstr("No difference in AP shown")) << "neither learnt anything";
}

TEST(Verdict, NamesMethodsWithTooFewSeedsForAShareOfTheGap) {
  Comparison comparison = comparison_of({{"labels", {0.52, 0.51, 0.53}},
                                         {"kd", {0.51, 0.50, 0.521}},
                                         {"pseudo", {-1, -1, 0.50}},
                                         {"ignore", {0.47, 0.461, 0.48}}},
                                        "ignore");
  comparison.lower = "ignore";
  comparison.upper = "labels";
  summarise(comparison);
  EXPECT_THAT(comparison.verdicts.back(), HasSubstr("is closed: kd 81 % [77, 84]. Too few seeds tell the share of the "
                                                    "gap between ignore and labels for pseudo."));
}

}  // namespace
}  // namespace conclave
