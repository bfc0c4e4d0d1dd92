#include "models/box_merge.h"

#include <gtest/gtest.h>

namespace conclave {
namespace {

Detection object(float x, float score, int cls = 0) {
  return {{x, 0, x + 10, 10}, cls, score};
}

TEST(BoxMerge, OneLookPassesUnchangedInOrderOfScore) {
  // Two that overlap almost whole: one look told them apart.
  for (const BoxMerge how : {BoxMerge::kNms, BoxMerge::kFuse}) {
    const auto merged = merge_looks({{object(0, 0.4F), object(1, 0.9F)}}, {how, 0.5});
    ASSERT_EQ(merged.size(), 2u);
    EXPECT_FLOAT_EQ(merged[0].score, 0.9F);
    EXPECT_FLOAT_EQ(merged[0].box.x0, 1);
    EXPECT_FLOAT_EQ(merged[1].score, 0.4F);
    EXPECT_FLOAT_EQ(merged[1].box.x1, 10);
  }
}

TEST(BoxMerge, NmsKeepsTheStrongestOfWhatSeveralLooksSee) {
  const auto merged = merge_looks({{object(0, 0.4F)}, {object(1, 0.9F), object(30, 0.2F)}}, {BoxMerge::kNms, 0.5});
  ASSERT_EQ(merged.size(), 2u);
  EXPECT_FLOAT_EQ(merged[0].box.x0, 1);
  EXPECT_FLOAT_EQ(merged[0].score, 0.9F);
  EXPECT_FLOAT_EQ(merged[1].box.x0, 30);
}

TEST(BoxMerge, FuseWeightsBoxesByScoreAndDividesByTheNumberOfLooks) {
  const auto merged = merge_looks({{object(0, 0.6F)}, {object(2, 0.2F)}, {object(60, 0.9F)}}, {BoxMerge::kFuse, 0.5});
  ASSERT_EQ(merged.size(), 2u);
  EXPECT_FLOAT_EQ(merged[0].box.x0, 60);  // one of three looks saw it: 0.9 / 3
  EXPECT_FLOAT_EQ(merged[0].score, 0.3F);
  EXPECT_NEAR(merged[1].box.x0, (0.6 * 0 + 0.2 * 2) / 0.8, 1e-6);
  EXPECT_NEAR(merged[1].box.x1, 10.5, 1e-5);
  EXPECT_NEAR(merged[1].score, 0.8 / 3, 1e-6);
}

TEST(BoxMerge, ClassesAndDistantBoxesStayApart) {
  for (const BoxMerge how : {BoxMerge::kNms, BoxMerge::kFuse}) {
    EXPECT_EQ(merge_looks({{object(0, 0.6F, 0)}, {object(0, 0.5F, 1)}}, {how, 0.5}).size(), 2u);
    EXPECT_EQ(merge_looks({{object(0, 0.6F)}, {object(4, 0.5F)}}, {how, 0.5}).size(), 2u);  // IoU 6/14
    EXPECT_EQ(merge_looks({{object(0, 0.6F)}, {object(4, 0.5F)}}, {how, 0.4}).size(), 1u);
  }
}

TEST(BoxMerge, EachLookAddsOneBoxToAnObjectSoThatNeighboursSurvive) {
  // Two touching objects, each seen by both looks.
  const std::vector<std::vector<Detection>> looks = {{object(0, 0.9F), object(3, 0.8F)},
                                                     {object(0.2F, 0.7F), object(3.2F, 0.6F)}};
  const auto merged = merge_looks(looks, {BoxMerge::kFuse, 0.5});
  ASSERT_EQ(merged.size(), 2u);
  EXPECT_NEAR(merged[0].score, 0.8, 1e-6);
  EXPECT_NEAR(merged[1].score, 0.7, 1e-6);
  EXPECT_NEAR(merged[1].box.x0, (0.8 * 3 + 0.6 * 3.2) / 1.4, 1e-5);
}

TEST(BoxMerge, NothingGivesNothing) {
  EXPECT_TRUE(merge_looks({{}, {}}, {}).empty());
  EXPECT_TRUE(merge_looks({}, {}).empty());
}

}  // namespace
}  // namespace conclave
