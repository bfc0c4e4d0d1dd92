#include <gtest/gtest.h>
#include <torch/torch.h>

#include <string>

#include "fusion/fuse.h"
#include "fusion/loss_terms.h"

// The boxes of one teacher of several classes teach what those of several teachers of one class each would.
namespace conclave {
namespace {

constexpr int kViews = 2, kHeight = 8, kWidth = 12;

// Class 0 fills most of each view, class 1 a cell; elsewhere the teacher sees nothing.
HeadOutputs teacher_of_both() {
  at::Tensor heat = at::full({kViews, 2, kHeight, kWidth}, -60.0, at::kDouble);
  heat.select(1, 0).narrow(2, 0, 8).copy_(at::rand({kViews, kHeight, 8}, at::kDouble) * 2);
  heat.select(1, 1).select(1, 4).select(1, 10).fill_(0.5);
  return {heat, at::rand({kViews, 2, kHeight, kWidth}, at::kDouble) * 9 + 1,
          at::rand({kViews, 2, kHeight, kWidth}, at::kDouble)};
}

HeadOutputs only(const HeadOutputs& both, std::int64_t cls) {
  return {both.heat.narrow(1, cls, 1), both.wh, both.offset};
}

HeadOutputs student_heads() {
  return {at::randn({kViews, 2, kHeight, kWidth}, at::kDouble) * 2 - 1,
          at::rand({kViews, 2, kHeight, kWidth}, at::kDouble) * 9 + 1,
          at::rand({kViews, 2, kHeight, kWidth}, at::kDouble)};
}

class TeacherOfSeveralClasses : public ::testing::TestWithParam<DistillLoss> {
 protected:
  TeacherOfSeveralClasses() {
    torch::manual_seed(31);
    both = teacher_of_both();
    student = student_heads();
    options.loss = GetParam();
    options.box = BoxLoss::kGiou;
  }

  // The second class is supervised on the first `views` views alone.
  Losses by_one(std::int64_t views) const {
    BatchTargets batch;
    batch.teachers = {dense_targets(both)};
    batch.teacher_mask = {at::ones({kViews, 2})};
    batch.teacher_mask[0].narrow(1, 1, 1).narrow(0, views, kViews - views).zero_();
    return fuse(student, batch, {{"one", {0, 1}}}, options);
  }

  Losses by_two(std::int64_t views) const {
    BatchTargets batch;
    batch.teachers = {dense_targets(only(both, 0)), dense_targets(only(both, 1))};
    batch.teacher_mask = {at::zeros({kViews, 2}), at::zeros({kViews, 2})};
    batch.teacher_mask[0].narrow(1, 0, 1).fill_(1);
    batch.teacher_mask[1].narrow(1, 1, 1).narrow(0, 0, views).fill_(1);
    return fuse(student, batch, {{"big", {0}}, {"small", {1}}}, options);
  }

  HeadOutputs both, student;
  FusionOptions options;
};

TEST_P(TeacherOfSeveralClasses, TeachesTheirBoxesAsTeachersOfOneClassEachDo) {
  for (const std::int64_t views : {2, 1}) {
    const Losses one = by_one(views), two = by_two(views);
    for (const std::string kind : {"/wh", "/offset", "/iou"}) {
      const double small = value_of(two, "small" + kind), whole = value_of(two, "big" + kind) + small;
      EXPECT_GT(small, 0);
      EXPECT_NEAR(value_of(one, "one" + kind), whole, 1e-9) << kind << ", " << views << " views";
    }
  }
}

TEST_P(TeacherOfSeveralClasses, MakesARareClassAsLoudAsATeacherOfThisClassAloneDoes) {
  const auto pull = [&](const auto& losses) {
    student.wh = student.wh.detach().requires_grad_(true);
    return torch::autograd::grad({losses().total}, {student.wh})[0].select(2, 4).select(2, 10);
  };
  const at::Tensor one = pull([&] { return by_one(kViews); }), two = pull([&] { return by_two(kViews); });
  EXPECT_GT(two.abs().min().item<double>(), 0);
  EXPECT_LT((one - two).abs().max().item<double>(), 1e-9);
}

INSTANTIATE_TEST_SUITE_P(Every, TeacherOfSeveralClasses,
                         ::testing::Values(DistillLoss::kQfl, DistillLoss::kBce, DistillLoss::kRelu,
                                           DistillLoss::kProbPeaks));

}  // namespace
}  // namespace conclave
