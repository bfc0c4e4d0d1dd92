#include <gtest/gtest.h>
#include <torch/torch.h>

#include <string>

#include "fusion/fuse.h"
#include "fusion/loss_terms.h"
#include "support/golden_tensors.h"

// A view that supervises a class weighs the same whether the rest of the batch supervises it too or not.
namespace conclave {
namespace {

constexpr std::int64_t kViews = 4, kHeight = 8, kWidth = 12;

// The same view four times, two classes with a teacher each.
struct SameViews {
  FusionOptions options;
  std::vector<TeacherChannels> teachers = {{"red", {0}}, {"white", {1}}};
  HeadOutputs student, red, white;

  SameViews() {
    options.method = Method::kKdLabels;
    torch::manual_seed(7);
    student = view(2);
    red = view(1);
    white = view(1);
  }

  static HeadOutputs view(std::int64_t channels) {
    return {at::randn({1, channels, kHeight, kWidth}, at::kDouble) * 2 - 1,
            at::rand({1, 2, kHeight, kWidth}, at::kDouble) * 9 + 1, at::rand({1, 2, kHeight, kWidth}, at::kDouble)};
  }
  static at::Tensor copies(const at::Tensor& head) { return head.expand({kViews, -1, -1, -1}).contiguous(); }
  static HeadOutputs copies(const HeadOutputs& heads) {
    return {copies(heads.heat), copies(heads.wh), copies(heads.offset)};
  }

  // Both classes are supervised on the first `supervised` views alone.
  Losses losses(const HeadOutputs& heads, std::int64_t supervised) const {
    const std::vector<LabelBox> boxes = {{{4, 4, 20, 24}, 0}, {{20, 8, 40, 28}, 1}, {{2, 12, 12, 20}, 1}};
    return losses(heads, supervised, std::vector(kViews, boxes));
  }
  Losses losses(const HeadOutputs& heads, std::int64_t supervised,
                const std::vector<std::vector<LabelBox>>& boxes) const {
    BatchTargets batch;
    batch.label_mask = at::zeros({kViews, 2});
    batch.label_mask.narrow(0, 0, supervised).fill_(1);
    batch.teacher_mask = {batch.label_mask.clone(), batch.label_mask.clone()};
    batch.teacher_mask[0].narrow(1, 1, 1).zero_();
    batch.teacher_mask[1].narrow(1, 0, 1).zero_();
    batch.labels = make_ground_truth(boxes, 2, kHeight, kWidth, options.min_overlap);
    batch.teachers = {dense_targets(copies(red)), dense_targets(copies(white))};
    return fuse(heads, batch, teachers, options);
  }
};

TEST(ViewWeight, IsThatOfAWhollySupervisedBatchForEveryTerm) {
  for (const DistillLoss loss : {DistillLoss::kQfl, DistillLoss::kBce, DistillLoss::kRelu, DistillLoss::kProbPeaks}) {
    SameViews scene;
    scene.options.loss = loss;
    scene.options.cwd.weight = 1;
    scene.options.box = BoxLoss::kGiou;
    const HeadOutputs heads = SameViews::copies(scene.student);
    const Losses all = scene.losses(heads, kViews), one = scene.losses(heads, 1);
    ASSERT_EQ(all.terms.size(), 14U);
    for (const LossTerm& term : all.terms) {
      const double whole = term.value.item<double>();
      EXPECT_GT(whole, 0) << term.name;
      EXPECT_NEAR(value_of(one, term.name), whole / kViews, 1e-4 * whole) << term.name;
    }
  }
}

TEST(ViewWeight, GradientsOfASupervisedViewDoNotDependOnItsNeighbours) {
  const SameViews scene;
  const auto gradient = [&](std::int64_t supervised) {
    HeadOutputs heads = SameViews::copies(scene.student);
    heads.heat.requires_grad_(true);
    scene.losses(heads, supervised).total.backward();
    return heads.heat.grad();
  };
  const at::Tensor all = gradient(kViews), two = gradient(2);
  EXPECT_LT(largest_difference(two.narrow(0, 0, 2), all.narrow(0, 0, 2)), 1e-9);
  EXPECT_EQ(two.narrow(0, 2, 2).abs().max().item<double>(), 0);
}

// A view without an object of the class is as loud as one with a single object: in a batch labelled throughout, others
// would have some.
TEST(ViewWeight, OfAViewWithoutObjectsIsThatOfAViewWithOne) {
  const SameViews scene;
  HeadOutputs heads = SameViews::copies(scene.student);
  heads.heat.fill_(-1);  // the same background everywhere
  const auto background = [&](const std::vector<LabelBox>& first) {
    std::vector<std::vector<LabelBox>> boxes(kViews);
    boxes[0] = first;
    heads.heat = heads.heat.detach().requires_grad_(true);
    const Losses losses = scene.losses(heads, 1, boxes);
    return torch::autograd::grad({losses.terms[0].value}, {heads.heat})[0][0][0][kHeight - 1][kWidth - 1]
        .item<double>();
  };
  EXPECT_NEAR(background({}), background({{{4, 4, 12, 12}, 0}}), 1e-12);
  EXPECT_GT(background({}), 0);
}

// Decision 013: `ignore` divides by the batch's own objects, and so does the published sum over all classes.
TEST(ViewWeight, WithoutTeachersOneLabelledViewWeighsAsMuchAsFour) {
  for (const bool per_class : {true, false}) {
    SameViews scene;
    scene.options.method = Method::kIgnore;
    scene.options.per_class = per_class;
    const HeadOutputs heads = SameViews::copies(scene.student);
    const Losses all = scene.losses(heads, kViews), one = scene.losses(heads, 1);
    for (const LossTerm& term : all.terms) {
      const double whole = term.value.item<double>();
      EXPECT_NEAR(value_of(one, term.name), whole, 1e-4 * whole) << term.name;
    }
  }
}

}  // namespace
}  // namespace conclave
