#include "fusion/coverage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace conclave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<std::string> kClasses = {"person", "car"};
const std::vector<CoveredSet> kSets = {{"people", {true, false}}, {"unlabelled", {false, false}}};
const std::vector<TeacherChannels> kTeachers = {{"walker", {0}, 1.0}, {"driver", {-1, 1}, 1.0}};

std::string error_of(Method method, const std::vector<CoveredSet>& sets, const std::vector<TeacherChannels>& teachers) {
  try {
    derive_coverage(method, true, kClasses, sets, teachers);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::kUsage);
    EXPECT_FALSE(error.hint().empty());
    return error.what();
  }
  return "";
}

TEST(Coverage, KdTakesEveryClassFromItsTeachersAndNoLabel) {
  const Coverage coverage = derive_coverage(Method::kKd, true, kClasses, kSets, kTeachers);
  for (const auto& row : coverage) {
    EXPECT_FALSE(row[0].labels);
    EXPECT_THAT(row[0].teachers, ElementsAre(0));
    EXPECT_THAT(row[1].teachers, ElementsAre(1));
  }
}

TEST(Coverage, KdLabelsTakesLabelsWhereThereAreSomeAndTeachersAsWellIfBoth) {
  const Coverage both = derive_coverage(Method::kKdLabels, true, kClasses, kSets, kTeachers);
  EXPECT_TRUE(both[0][0].labels);
  EXPECT_THAT(both[0][0].teachers, ElementsAre(0));
  EXPECT_FALSE(both[0][1].labels);
  EXPECT_THAT(both[0][1].teachers, ElementsAre(1));

  const Coverage alone = derive_coverage(Method::kKdLabels, false, kClasses, kSets, kTeachers);
  EXPECT_TRUE(alone[0][0].labels);
  EXPECT_TRUE(alone[0][0].teachers.empty());
  EXPECT_THAT(alone[1][0].teachers, ElementsAre(0));
}

TEST(Coverage, PseudoMakesLabelsOfTheTeachersBoxesWhereNoneAreGiven) {
  const Coverage coverage = derive_coverage(Method::kPseudo, true, kClasses, kSets, kTeachers);
  EXPECT_FALSE(coverage[0][0].pseudo);
  EXPECT_TRUE(coverage[0][0].teachers.empty());
  EXPECT_TRUE(coverage[0][1].pseudo && coverage[0][1].labels);
  EXPECT_THAT(coverage[0][1].teachers, ElementsAre(1));
}

TEST(Coverage, IgnoreAndBackgroundDifferInWhatIsNotLabelled) {
  const std::vector<CoveredSet> sets = {{"people", {true, false}}, {"cars", {false, true}}};
  EXPECT_TRUE(derive_coverage(Method::kIgnore, true, kClasses, sets, {})[0][1].ignored());
  const Coverage background = derive_coverage(Method::kBackground, true, kClasses, sets, {});
  EXPECT_TRUE(background[0][1].background);
  EXPECT_FALSE(background[0][1].labels);
  EXPECT_TRUE(background[1][1].labels);
}

TEST(Coverage, SeveralTeachersOfOneClassAreListedInTheRunsOrder) {
  const std::vector<TeacherChannels> teachers = {{"b", {1, 0}, 1.0}, {"a", {0}, 1.0}};
  EXPECT_THAT(derive_coverage(Method::kKd, true, kClasses, kSets, teachers)[1][0].teachers, ElementsAre(0, 1));
}

TEST(Coverage, ErrorsNameTheClassAndTheSet) {
  const std::string labels = error_of(Method::kLabels, kSets, {});
  EXPECT_THAT(labels, HasSubstr("'car'"));
  EXPECT_THAT(labels, HasSubstr("'people'"));
  for (const Method method : {Method::kKd, Method::kPseudo, Method::kKdLabels}) {
    const std::string text = error_of(method, kSets, {kTeachers[0]});
    EXPECT_THAT(text, HasSubstr("'car'"));
    EXPECT_THAT(text, HasSubstr("'people'"));
  }
  for (const Method method : {Method::kIgnore, Method::kBackground}) {
    const std::string text = error_of(method, kSets, kTeachers);
    EXPECT_THAT(text, HasSubstr("'car'"));
    EXPECT_THAT(text, HasSubstr("'unlabelled'"));
  }
}

TEST(Coverage, PrintsAnAlignedTable) {
  const Coverage coverage = derive_coverage(Method::kKdLabels, true, kClasses, kSets, kTeachers);
  EXPECT_EQ(to_text(coverage, kClasses, kSets, kTeachers),
            "set         person         car\n"
            "people      labels+walker  driver\n"
            "unlabelled  walker         driver\n");
}

}  // namespace
}  // namespace conclave
