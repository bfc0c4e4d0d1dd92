#include "jobs/comparison_notes.h"

#include <gmock/gmock.h>

#include "compared_methods.h"
#include "jobs/comparison_statistics.h"

namespace conclave {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

TEST(ComparisonNotes, TellWhatElseDiffersBetweenMethods) {
  Comparison comparison = comparison_of({{"kd", {0.5, 0.6, 0.5}}, {"labels", {0.5, 0.5, 0.6}}}, "labels");
  summarise(comparison);
  EXPECT_THAT(comparison.notes, ElementsAre(StartsWith("The report shows 6 intervals of differences")));
  comparison.methods[0].init = "x.safetensors";
  comparison.runs[0].record.environment = {{"version", "1.0"}};
  comparison.runs[4].record.environment = {{"version", "1.1"}};
  summarise(comparison);
  EXPECT_THAT(comparison.notes, Contains(HasSubstr("none (labels); x.safetensors (kd)")));
  EXPECT_THAT(comparison.notes, Contains(HasSubstr("different versions of the program: 1.0, 1.1")));
  comparison.methods[0].choice = "val, every 250 steps";
  comparison.methods[1].choice = "the last ones";
  comparison.runs[1].record.student->images = 72;
  comparison.runs[1].record.student->seen_images = 12;
  summarise(comparison);
  EXPECT_THAT(comparison.notes, Contains(HasSubstr("the last ones (labels); val, every 250 steps (kd)")));
  EXPECT_THAT(comparison.notes, Contains(HasSubstr("images of the test set, which says nothing about new "
                                                   "images: kd (12 of 72)")));
}

// A single comparison of one class has an interval of AP and one of AP50; with more, some exclude zero by chance.
TEST(ComparisonNotes, WarnOfChanceByTheNumberOfIntervalsShown) {
  Comparison comparison = comparison_of({{"kd", {0.5, 0.6, 0.5}}, {"labels", {0.5, 0.5, 0.6}}}, "labels");
  comparison.classes = {"a"};
  summarise(comparison);
  EXPECT_THAT(comparison.notes, IsEmpty());
  comparison =
      comparison_of({{"kd", {0.5, 0.6, 0.5}}, {"pseudo", {0.4, 0.6, 0.5}}, {"labels", {0.5, 0.5, 0.6}}}, "labels");
  summarise(comparison);
  EXPECT_THAT(comparison.notes, ElementsAre(StartsWith("The report shows 14 intervals"))) << "2 (1 + 2) 2 + 2";
}

TEST(ComparisonNotes, CountIntervalsToTeachers) {
  Comparison comparison = comparison_of({{"kd", {0.5, 0.6, 0.5}}, {"labels", {0.5, 0.5, 0.6}}}, "labels");
  for (ComparedRun& run : comparison.runs) {
    run.record.teachers = {{"t", {"a"}, {{"a", numbers_of(0.4 + 0.01 * static_cast<double>(run.seed))}}}};
  }
  summarise(comparison);
  EXPECT_THAT(comparison.notes, ElementsAre(StartsWith("The report shows 10 intervals")))
      << "6 and 2 x 2 to a's teacher";
}

TEST(ComparisonNotes, NameMethodsThatCameOutTheSame) {
  Comparison comparison = comparison_of(
      {{"kd", {0.5, 0.6, 0.5}}, {"kd2", {0.5, 0.6, 0.5}}, {"none", {0, 0, 0}}, {"nothing", {0, 0, 0}}}, "kd");
  summarise(comparison);
  EXPECT_THAT(comparison.notes, Contains("Methods have exactly the same scores, so what sets them apart had no effect: "
                                         "kd and kd2."));
  comparison.runs[4].record.student->per_class["a"].ap50 += 0.001;
  summarise(comparison);
  EXPECT_THAT(comparison.notes, Not(Contains(HasSubstr("exactly the same"))));
}

TEST(ComparisonNotes, TellOfMethodsThatSawDifferentNumbersOfImages) {
  Comparison comparison = comparison_of({{"kd", {0.5, 0.6}}, {"pseudo", {0.5, 0.6}}, {"labels", {-1, 0.5}}}, "labels");
  for (ComparedRun& run : comparison.runs) {
    if (run.state != RunState::kDone) continue;
    run.record.training.emplace();
    run.record.training->images = 8000;
  }
  summarise(comparison);
  EXPECT_THAT(comparison.notes, Not(Contains(HasSubstr("numbers of images"))));
  comparison.runs[5].record.training->images = 16000;
  summarise(comparison);
  EXPECT_THAT(comparison.notes, Contains(HasSubstr("8000 (kd, pseudo); 16000 (labels)")));
}

TEST(ComparisonNotes, NameTheShiftOfSeeds) {
  MethodSummary summary;
  EXPECT_EQ(shifted_text(summary), "");
  summary.seed_shift = 1000;
  EXPECT_EQ(shifted_text(summary), "trained with each seed plus 1000");
}

}  // namespace
}  // namespace conclave
