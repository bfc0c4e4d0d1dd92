#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "fusion/fuse.h"
#include "fusion/loss_terms.h"

// Several teachers on one class.
namespace conclave {
namespace {

using ::testing::ElementsAre;

constexpr int kHeight = 8, kWidth = 12;

HeadOutputs random_heads(int channels, std::uint64_t seed) {
  torch::manual_seed(seed);
  return {at::randn({2, channels, kHeight, kWidth}, at::kDouble) * 2 - 1,
          at::rand({2, 2, kHeight, kWidth}, at::kDouble) * 9 + 1, at::rand({2, 2, kHeight, kWidth}, at::kDouble)};
}

// What teachers say who all serve class 0 on both views.
BatchTargets said_by(const std::vector<HeadOutputs>& heads) {
  ClassSource source;
  for (std::size_t t = 0; t < heads.size(); ++t) source.teachers.push_back(static_cast<int>(t));
  BatchTargets targets = make_masks({{source, {}}}, {0, 0}, heads.size());
  for (const HeadOutputs& head : heads) targets.teachers.push_back(dense_targets(head));
  return targets;
}

TEST(SharedClasses, HaveOneHeatTerm) {
  const BatchTargets targets = said_by({random_heads(1, 21), random_heads(1, 22)});
  for (const Merge merge : {Merge::kMax, Merge::kMean, Merge::kWeighted}) {
    FusionOptions options;
    options.merge = merge;
    const Losses losses = fuse(random_heads(2, 12), targets, {{"red", {0}}, {"other", {0}}}, options);
    EXPECT_THAT(names_of(losses), ElementsAre("red+other/heat", "red/wh", "red/offset", "other/wh", "other/offset"));
    EXPECT_TRUE(std::isfinite(losses.total.item<double>()));
  }
}

TEST(SharedClasses, DoublingATeacherChangesNothing) {
  const HeadOutputs student = random_heads(2, 13), teacher = random_heads(1, 21);
  const BatchTargets once = said_by({teacher}), twice = said_by({teacher, teacher});
  FusionOptions options;
  options.box = BoxLoss::kGiou;
  const Losses single = fuse(student, once, {{"t", {0}}}, options);
  for (const Merge merge : {Merge::kMax, Merge::kMean, Merge::kWeighted}) {
    options.merge = merge;
    const Losses twin = fuse(student, twice, {{"t", {0}, 0.25}, {"u", {0}, 0.75}}, options);
    EXPECT_NEAR(value_of(twin, "t+u/heat"), value_of(single, "t/heat"), 1e-4);
    // A tie goes to the first; equal parts in the mean; by their weights in the weighted mean.
    const double first = merge == Merge::kMax ? 1 : merge == Merge::kMean ? 0.5 : 0.25;
    for (const std::string kind : {"/wh", "/offset", "/iou"}) {
      const double whole = value_of(single, "t" + kind);
      EXPECT_NEAR(value_of(twin, "t" + kind), first * whole, 1e-4 * whole) << kind;
      EXPECT_NEAR(value_of(twin, "u" + kind), (1 - first) * whole, 1e-4 * whole) << kind;
    }
  }
}

TEST(SharedClasses, AHardlyTrustedTeachersBoxesHardlyPull) {
  const HeadOutputs good = random_heads(1, 21), bad = random_heads(1, 22);
  HeadOutputs student = random_heads(2, 13);
  FusionOptions options;
  options.merge = Merge::kWeighted;
  const auto pull = [&](const BatchTargets& targets, const std::vector<TeacherChannels>& teachers) {
    student.wh = student.wh.detach().requires_grad_(true);
    fuse(student, targets, teachers, options).total.backward();
    return student.wh.grad();
  };
  const at::Tensor alone = pull(said_by({good}), {{"good", {0}}});
  const at::Tensor both = pull(said_by({good, bad}), {{"good", {0}, 0.6}, {"bad", {0}, 0.0001}});
  EXPECT_LT((both - alone).abs().sum().item<double>(), 0.01 * alone.abs().sum().item<double>());
}

// One view is the first teacher's, the other the second's: together they weigh as one teacher that sees both.
TEST(SharedClasses, ViewsDividedBetweenTeachersWeighAsOneTeachers) {
  const HeadOutputs student = random_heads(2, 13), teacher = random_heads(1, 21);
  BatchTargets divided = said_by({teacher, teacher});
  divided.teacher_mask[0][1].zero_();
  divided.teacher_mask[1][0].zero_();
  const FusionOptions options;
  const Losses single = fuse(student, said_by({teacher}), {{"t", {0}}}, options);
  const Losses halves = fuse(student, divided, {{"t", {0}}, {"u", {0}}}, options);
  for (const std::string kind : {"/wh", "/offset"}) {
    const double whole = value_of(single, "t" + kind);
    EXPECT_NEAR(value_of(halves, "t" + kind) + value_of(halves, "u" + kind), whole, 1e-4 * whole) << kind;
  }
}

}  // namespace
}  // namespace conclave
