#include "fusion/merge.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/error.h"

namespace conclave {
namespace {

constexpr float kSilent = -std::numeric_limits<float>::infinity();

// One row of cells of one view.
at::Tensor heat(const std::vector<float>& logits) {
  return at::tensor(logits).view({1, 1, 1, static_cast<std::int64_t>(logits.size())});
}
at::Tensor supervises(float value) {
  return at::full({1, 1}, value);
}

at::Tensor shares_of(const MergedClass& merged, std::size_t t) {
  return merged.shares[t].expand_as(merged.heat).flatten();
}

TEST(Merge, ATeacherAlonePassesBitByBit) {
  const at::Tensor z = heat({-3.3f, 0.1f, 17.0f, kSilent});
  for (const Merge merge : {Merge::kMax, Merge::kMean, Merge::kWeighted}) {
    EXPECT_TRUE(at::equal(merge_class({z}, {supervises(1)}, {0.5}, merge).heat, z));
    const MergedClass beside = merge_class({heat({9, 9, 9, 9}), z}, {supervises(0), supervises(1)}, {0.5, 0.2}, merge);
    EXPECT_TRUE(at::equal(beside.heat, z)) << "the other one does not supervise this view";
    EXPECT_EQ(shares_of(beside, 0).sum().item<float>(), 0);
    EXPECT_EQ(shares_of(beside, 1).sum().item<float>(), 4);
  }
}

TEST(Merge, MaxTakesTheSurestAndGivesItTheBoxTiesGoToTheFirst) {
  const MergedClass merged = merge_class({heat({1, -2, 3, kSilent}), heat({2, -4, 3, kSilent})},
                                         {supervises(1), supervises(1)}, {1, 1}, Merge::kMax);
  EXPECT_TRUE(at::equal(merged.heat, heat({2, -2, 3, kSilent})));
  EXPECT_TRUE(at::equal(shares_of(merged, 0), at::tensor({0.f, 1.f, 1.f, 1.f})));
  EXPECT_TRUE(at::equal(shares_of(merged, 1), at::tensor({1.f, 0.f, 0.f, 0.f})));
}

TEST(Merge, MeanAndWeightedAverageProbabilities) {
  const at::Tensor a = heat({1, kSilent, 30}), b = heat({-2, kSilent, 30});
  const at::Tensor pa = at::sigmoid(a), pb = at::sigmoid(b);
  const MergedClass mean = merge_class({a, b}, {supervises(1), supervises(1)}, {3, 1}, Merge::kMean);
  EXPECT_TRUE(at::allclose(at::sigmoid(mean.heat), (pa + pb) / 2));
  const MergedClass weighted = merge_class({a, b}, {supervises(1), supervises(1)}, {3, 1}, Merge::kWeighted);
  EXPECT_TRUE(at::allclose(at::sigmoid(weighted.heat), pa * 0.75 + pb * 0.25));
  EXPECT_EQ(shares_of(weighted, 0)[0].item<float>(), 0.75f);
  EXPECT_EQ(weighted.heat.flatten()[1].item<float>(), kSilent);
  EXPECT_TRUE(std::isfinite(weighted.heat.flatten()[2].item<float>()));
}

TEST(Merge, WeightsThatSumToZeroAreAnError) {
  EXPECT_THROW(merge_class({heat({1}), heat({1})}, {supervises(1), supervises(1)}, {0, 0}, Merge::kWeighted), Error);
}

TEST(Merge, AViewThatNobodySupervisesHasNoShares) {
  for (const Merge merge : {Merge::kMax, Merge::kMean}) {
    const MergedClass merged = merge_class({heat({1, 2}), heat({2, 1})}, {supervises(0), supervises(0)}, {1, 1}, merge);
    EXPECT_EQ(merged.mask.sum().item<float>(), 0);
    EXPECT_EQ((shares_of(merged, 0) + shares_of(merged, 1)).sum().item<float>(), 0);
    EXPECT_FALSE(at::isnan(merged.heat).any().item<bool>());
  }
}

TEST(Merge, ATeachersChannelsOfOneClassSpeakWithTheirLargest) {
  const DenseTargets targets{at::cat({heat({1, -5}), heat({0, 3}), heat({7, 7})}, 1), {}, {}, {}};
  const TeacherVoice voice = voice_of(targets, {"traffic", {1, 1, -1}, 1.0}, at::ones({1, 2}));
  EXPECT_EQ(voice.classes, std::vector<int>{1});
  EXPECT_TRUE(at::equal(voice.heat, heat({1, 3})));
}

TEST(Merge, ClassesStandInOrderWithTheTeachersThatServeThem) {
  const TeacherVoice two{{0, 3}, at::cat({heat({1, 2}), heat({-1, 4})}, 1), at::ones({1, 2})};
  const TeacherVoice none{}, one{{3}, heat({3, 3}), at::ones({1, 1})};
  const Merged merged = merge_voices({two, none, one}, {{"two", {0, 3}}, {"none", {-1}}, {"one", {3}}}, 4, Merge::kMax);
  EXPECT_EQ(merged.classes, (std::vector<int>{0, 3}));
  EXPECT_TRUE(at::equal(merged.heat, at::cat({heat({1, 2}), heat({3, 4})}, 1)));
  EXPECT_TRUE(at::equal(merged.mask, at::ones({1, 2})));
  const std::map<TeacherGroup, std::vector<std::size_t>> groups = {{{0}, {0}}, {{0, 2}, {1}}};
  EXPECT_EQ(merged.groups, groups);
  ASSERT_EQ(merged.shares[0].size(), 2u);
  EXPECT_TRUE(merged.shares[1].empty());
  EXPECT_EQ(merged.shares[0][0].sum().item<float>(), 1);
  EXPECT_TRUE(at::equal(merged.shares[0][1], heat({0, 1})));
  EXPECT_TRUE(at::equal(merged.shares[2][0], heat({1, 0})));
  EXPECT_TRUE(merge_voices({none}, {{"none", {-1}}}, 4, Merge::kMax).classes.empty());
}

}  // namespace
}  // namespace conclave
