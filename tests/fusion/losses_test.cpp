#include "fusion/losses.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "models/decode.h"
#include "support/golden_tensors.h"
#include "support/gradient_check.h"

namespace conclave {
namespace {

constexpr double kSilent = -std::numeric_limits<double>::infinity();

at::Tensor everything(const at::Tensor& heads) {
  return at::ones({heads.size(0), heads.size(1)}, heads.options());
}

at::Tensor leaf(const at::Tensor& values) {
  return values.clone().requires_grad_(true);
}

// Every cell of a map, (B,K,H,W), as a list: (B H W,K).
at::Tensor listed(const at::Tensor& map) {
  return at_cells(map, at::arange(map.size(0) * map.size(2) * map.size(3)));
}

// ---- The distillation loss of the published code ------------------------------------------------------------------

class PublishedDistillation : public ::testing::TestWithParam<std::string> {};

// The published divisor, which explodes near 0.
at::Tensor published_side(const at::Tensor& wh, std::int64_t dim) {
  return wh.mean(dim, /*keepdim=*/true) + 1e-4;
}

TEST_P(PublishedDistillation, ValuesAndGradientsMatchTheReference) {
  const GoldenTensors golden(GetParam());
  const at::Tensor weights =
      at::stack({golden.f64("cfg_KD_CLS_WEIGHT"), golden.f64("cfg_KD_WH_WEIGHT"), golden.f64("cfg_KD_REG_WEIGHT")}) *
      golden.f64("cfg_KD_WEIGHT");
  const at::Tensor cls = leaf(golden.f64("student_cls")), wh = leaf(golden.f64("student_wh"));
  const at::Tensor reg = leaf(golden.f64("student_reg"));
  at::Tensor total = at::zeros({}, at::kDouble);
  for (std::int64_t t = 0; t < 2; ++t) {
    const std::string teacher = "teacher" + std::to_string(t), suffix = "_loss" + std::to_string(t) + "_loss_f64";
    const at::Tensor teacher_cls = golden.f64(teacher + "_cls"), teacher_wh = golden.f64(teacher + "_wh");
    const at::Tensor weight = keep_peaks(teacher_cls).amax(1, true);
    EXPECT_LT(largest_difference(weight, golden["wh_mask" + std::to_string(t) + "_f64"]), 1e-12);
    const bool norm = golden["cfg_NORM_WH"][t].item<bool>();
    const at::Tensor side = norm ? published_side(teacher_wh, 1) : at::Tensor();
    const auto boxes = [&](const at::Tensor& own, const at::Tensor& said, const at::Tensor& divisor) {
      const at::Tensor sure = listed(weight).squeeze(1);
      const at::Tensor error =
          l1_error(listed(own), listed(said), divisor.defined() ? listed(divisor).squeeze(1) : divisor);
      const at::Tensor zero = at::zeros_like(sure, at::kLong);
      return boxes_per_class(error, sure, zero, zero, 1, 1).value().squeeze(0);
    };
    const at::Tensor heat =
        mean_squared_error(cls.narrow(1, t, 1), teacher_cls, at::ones({2, 1}, at::kDouble)).value().squeeze(0) *
        weights[0][t];
    const at::Tensor size = boxes(wh, teacher_wh, side) * weights[1][t];
    const at::Tensor offset = boxes(reg, golden.f64(teacher + "_reg"), {}) * weights[2][t];
    const auto near = [&](const at::Tensor& value, const std::string& name) {
      const double expected = golden.scalar(name + suffix);
      EXPECT_NEAR(value.item<double>(), expected, 1e-9 * std::max(1.0, expected)) << name << t;
    };
    near(heat, "kd_cls");
    near(size, "kd_wh");
    near(offset, "kd_off");
    total = total + heat + size + offset;
  }
  EXPECT_NEAR(total.item<double>(), golden.scalar("total_loss_f64"), 1e-6);
  total.backward();
  EXPECT_LT(largest_difference(cls.grad(), golden["grad_cls_f64"]), 1e-5);
  EXPECT_LT(largest_difference(wh.grad(), golden["grad_wh_f64"]), 1e-5);
  EXPECT_LT(largest_difference(reg.grad(), golden["grad_reg_f64"]), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Reference, PublishedDistillation, ::testing::Values("kd_unit_nonorm", "kd_yaml_normwh"),
                         [](const auto& test) { return test.param; });

TEST(Losses, FlooredSideEqualsThePublishedOneForOrdinaryBoxes) {
  const at::Tensor wh = at::rand({2, 2, 8, 8}, at::kDouble) * 20 + 1;
  EXPECT_LT(largest_difference(mean_side(wh, 1), published_side(wh, 1)), 2e-4);
  EXPECT_EQ(mean_side(at::full({1, 2, 1, 1}, -0.5), 1).item<float>(), 1.0f);
}

// ---- Labels ---------------------------------------------------------------------------------------------------------

TEST(Losses, FocalMatchesTheReferenceWithAndWithoutPositives) {
  for (const char* name : {"focal_basic", "focal_no_positive"}) {
    const GoldenTensors golden(name);
    const at::Tensor p = leaf(golden.f64("pred"));
    const at::Tensor loss = focal_joint(at::logit(p), golden.f64("gt")).value();
    EXPECT_NEAR(loss.item<double>(), golden.scalar("focal_loss_f64"), 1e-5) << name;
    loss.backward();
    EXPECT_LT(largest_difference(p.grad(), golden["focal_grad_f64"]), 1e-5) << name;
  }
}

GroundTruth small_truth() {
  return make_ground_truth({{{{2, 2, 14, 16}, 0}, {{10, 6, 30, 28}, 1}}, {{{4, 4, 20, 20}, 0}}, {}}, 2, 8, 8, 0.3);
}

TEST(Losses, PerClassFocalDividesEachClassByItsOwnCentres) {
  const GroundTruth truth = small_truth();
  const at::Tensor logits = at::randn({3, 2, 8, 8}, at::kDouble) - 2, mask = everything(logits);
  const at::Tensor per_class = focal_per_class(logits, truth, mask).value();
  const at::Tensor joint = focal_joint(logits, truth.heat).value();
  EXPECT_NEAR((per_class[0] * 2 + per_class[1]).item<double>(), (joint * 3).item<double>(), 1e-9);
}

TEST(Losses, FocalIsFiniteForExtremeLogits) {
  const GroundTruth truth = small_truth();
  for (const double z : {-200.0, 200.0}) {
    const at::Tensor logits = leaf(at::full({3, 2, 8, 8}, z, at::kFloat));
    const at::Tensor loss = focal_per_class(logits, truth, everything(logits)).value().sum();
    loss.backward();
    EXPECT_TRUE(std::isfinite(loss.item<double>()));
    EXPECT_TRUE(at::isfinite(logits.grad()).all().item<bool>());
  }
}

TEST(Losses, L1AtCentresMatchesTheReferenceAndIsZeroWithoutObjects) {
  for (const char* name : {"reg_l1", "reg_l1_empty"}) {
    const GoldenTensors golden(name);
    const at::Tensor output = leaf(golden.f64("output"));
    const at::Tensor index = golden["index"];
    const std::int64_t cells = output.size(2) * output.size(3);
    GroundTruth truth;
    truth.index = (index + at::arange(index.size(0)).unsqueeze(1) * cells).flatten();
    const at::Tensor target = golden.f64("target").view({-1, 2}), weight = golden.f64("mask").flatten();
    const at::Tensor loss = l1_joint(l1_error(at_cells(output, truth.index), target, {}), weight).value();
    EXPECT_NEAR(loss.item<double>(), golden.scalar("plain_loss_f64"), 1e-5);
    loss.backward();
    EXPECT_LT(largest_difference(output.grad(), golden["plain_grad_f64"]), 1e-5);
  }
}

TEST(Losses, PerClassL1IsTheMeanOverTheClassesSupervisedObjects) {
  const at::Tensor predicted = at::zeros({4, 2}, at::kDouble);
  const at::Tensor target = at::tensor({2.0, 4.0, 1.0, 1.0, 8.0, 8.0, 3.0, 5.0}).view({4, 2}).to(at::kDouble);
  const at::Tensor weight = at::tensor({1.0, 1.0, 1.0, 0.0}, at::kDouble), cls = at::tensor({0, 0, 2, 2}, at::kLong);
  const at::Tensor plain = objects_per_class(l1_error(predicted, target, {}), weight, cls, 3).value();
  EXPECT_TRUE(at::allclose(plain, at::tensor({4.0, 0.0, 16.0}, at::kDouble)));
  const at::Tensor sided =
      objects_per_class(l1_error(predicted, target, mean_side(target, 1).squeeze(1)), weight, cls, 3).value();
  EXPECT_TRUE(at::allclose(sided, at::tensor({2.0, 0.0, 2.0}, at::kDouble)));
}

TEST(Losses, ObjectsOfUnsupervisedClassesHaveNoWeight) {
  const GroundTruth truth = small_truth();
  const at::Tensor mask = at::tensor({1.0, 0.0, 0.0, 1.0, 1.0, 1.0}).view({3, 2});
  EXPECT_TRUE(at::equal(supervised_objects(truth, mask, 64), at::tensor({1.0f, 0.0f, 0.0f})));
}

// ---- Gradients against finite differences ------------------------------------------------------------------------

struct HeatCase {
  std::string name;
  std::function<at::Tensor(const at::Tensor& z, const at::Tensor& teacher, const at::Tensor& mask)> loss;
};

class HeatLoss : public ::testing::TestWithParam<HeatCase> {
 protected:
  void SetUp() override {
    torch::manual_seed(11);
    student_ = at::randn({2, 3, 5, 4}, at::kDouble) * 2 - 1;
    teacher_ = at::randn({2, 3, 5, 4}, at::kDouble) * 3 - 1;
    teacher_.masked_fill_(teacher_ < -2.94, kSilent);  // as decoded from records
    mask_ = at::tensor({1.0, 0.0, 1.0, 1.0, 1.0, 0.0}).view({2, 3}).to(at::kDouble);
  }
  at::Tensor student_, teacher_, mask_;
};

TEST_P(HeatLoss, GradientMatchesFiniteDifferences) {
  expect_gradients_match([&](const auto& in) { return GetParam().loss(in[0], teacher_, mask_).sum(); }, {student_});
}

TEST_P(HeatLoss, UnsupervisedViewsContributeExactlyNothing) {
  const at::Tensor z = leaf(student_);
  const at::Tensor loss = GetParam().loss(z, teacher_, mask_).sum();
  loss.backward();
  const at::Tensor outside = mask_.eq(0).unsqueeze(-1).unsqueeze(-1);
  EXPECT_EQ((z.grad() * outside).abs().max().item<double>(), 0);
  EXPECT_GT(z.grad().abs().max().item<double>(), 0);

  const at::Tensor other = at::where(outside, at::full_like(student_, 3.5), student_);
  const at::Tensor other_teacher = at::where(outside, at::full_like(teacher_, 7.0), teacher_);
  EXPECT_EQ(GetParam().loss(other, other_teacher, mask_).sum().item<double>(), loss.item<double>());
}

TEST_P(HeatLoss, IsExactlyZeroWhenNothingIsSupervised) {
  const at::Tensor z = leaf(student_);
  const at::Tensor loss = GetParam().loss(z, teacher_, at::zeros_like(mask_)).sum();
  loss.backward();
  EXPECT_EQ(loss.item<double>(), 0);
  EXPECT_EQ(z.grad().abs().max().item<double>(), 0);
}

TEST_P(HeatLoss, IsFiniteWithASilentTeacherAndExtremeStudents) {
  for (const double value : {-80.0, 0.0, 80.0}) {
    const at::Tensor z = leaf(at::full({2, 3, 5, 4}, value, at::kFloat));
    const at::Tensor loss = GetParam().loss(z, at::full({2, 3, 5, 4}, kSilent, at::kFloat), mask_.to(at::kFloat)).sum();
    loss.backward();
    EXPECT_TRUE(std::isfinite(loss.item<double>()));
    EXPECT_TRUE(at::isfinite(z.grad()).all().item<bool>());
  }
}

TEST_P(HeatLoss, AFreshStudentLearnsWhereTheTeacherSees) {
  const at::Tensor teacher = at::full({1, 1, 12, 12}, kSilent, at::kFloat);
  teacher[0][0].narrow(0, 5, 3).narrow(1, 6, 3).fill_(1.0f);
  teacher[0][0][6][7].fill_(3.0f);
  const at::Tensor mask = at::ones({1, 1});
  const at::Tensor z = leaf(at::full({1, 1, 12, 12}, -2.19f));  // the heat head's initial bias
  torch::optim::Adam adam({z}, torch::optim::AdamOptions(0.1));
  for (int step = 0; step < 400; ++step) {
    adam.zero_grad();
    GetParam().loss(z, teacher, mask).sum().backward();
    adam.step();
  }
  const at::Tensor p = at::sigmoid(z).detach();
  EXPECT_NEAR(p[0][0][6][7].item<float>(), 0.95f, 0.06f);  // qfl slows down as it gets near
  EXPECT_NEAR(p[0][0][5][6].item<float>(), 0.73f, 0.05f);
  EXPECT_LT(p[0][0][0][0].item<float>(), GetParam().name == "relu" ? 0.5f : 0.1f);
}

at::Tensor published_relu(const at::Tensor& z, const at::Tensor& teacher, const at::Tensor& mask) {
  return one_sided_relu(z, teacher, mask, 0.5).value();
}

at::Tensor low_relu(const at::Tensor& z, const at::Tensor& teacher, const at::Tensor& mask) {
  return one_sided_relu(z, teacher, mask, 0.05).value();
}

at::Tensor quality(const at::Tensor& z, const at::Tensor& teacher, const at::Tensor& mask) {
  return quality_focal(z, teacher, mask).value();
}

at::Tensor entropy(const at::Tensor& z, const at::Tensor& teacher, const at::Tensor& mask) {
  return cross_entropy(z, teacher, mask).value();
}

at::Tensor squares_of_logits(const at::Tensor& z, const at::Tensor& teacher, const at::Tensor& mask) {
  return mean_squared_error(at::sigmoid(z), at::sigmoid(teacher), mask).value();
}

INSTANTIATE_TEST_SUITE_P(Every, HeatLoss,
                         ::testing::Values(HeatCase{"qfl", quality}, HeatCase{"bce", entropy},
                                           HeatCase{"relu", published_relu}, HeatCase{"relu_low", low_relu},
                                           HeatCase{"prob_peaks", squares_of_logits}),
                         [](const auto& test) { return test.param.name; });

TEST(Losses, GradientsOfTheLabelTermsMatchFiniteDifferences) {
  const GroundTruth truth = small_truth();
  torch::manual_seed(12);
  const at::Tensor mask = at::tensor({1.0, 0.0, 1.0, 1.0, 1.0, 1.0}).view({3, 2}).to(at::kDouble);
  const at::Tensor logits = at::randn({3, 2, 8, 8}, at::kDouble) - 1;
  expect_gradients_match([&](const auto& in) { return focal_per_class(in[0], truth, mask).value().sum(); }, {logits});
  expect_gradients_match([&](const auto& in) { return focal_joint(in[0], truth.heat, mask).value(); }, {logits});

  const at::Tensor target = truth.wh.to(at::kDouble), side = mean_side(target, 1).squeeze(1);
  const at::Tensor weight = supervised_objects(truth, mask, 64);
  const at::Tensor wh = at::rand({3, 2, 8, 8}, at::kDouble) * 9;
  expect_gradients_match(
      [&](const auto& in) {
        const at::Tensor predicted = at_cells(in[0], truth.index);
        return objects_per_class(l1_error(predicted, target, side), weight, truth.cls, 2).value().sum() +
               l1_joint(l1_error(predicted, target, {}), weight).value();
      },
      {wh});
}

TEST(Losses, BoxesOfATeachersClassAreDividedByTheWeightOfAllBoxesOfThatClassAndTheirGradientMatchesFiniteDifferences) {
  torch::manual_seed(13);
  const at::Tensor student = at::rand({20, 2}, at::kDouble) * 9, said = at::rand({20, 2}, at::kDouble) * 9;
  const at::Tensor weight = at::relu(at::randn({20}, at::kDouble)), side = mean_side(said, 1).squeeze(1);
  // Teachers 0 and 2 share class 1, teacher 1 has no box, teacher 3 a class of its own.
  const at::Tensor owner = at::cat({at::full({8}, 0), at::full({7}, 2), at::full({5}, 3)}).to(at::kLong);
  const at::Tensor cls =
      at::cat({at::full({3}, 0), at::full({5}, 1), at::full({7}, 1), at::full({5}, 3)}).to(at::kLong);
  const auto each = [&](const at::Tensor& own) {
    return boxes_per_class(l1_error(own, said, side), weight, cls, owner, 4, 4).value();
  };
  const at::Tensor error = (student - said).abs().sum(1) / side, found = each(student);
  const auto sum = [](const at::Tensor& values, std::int64_t first, std::int64_t end) {
    return values.narrow(0, first, end - first).sum().item<double>();
  };
  const at::Tensor wrong = weight * error;
  std::vector<double> expected(16);  // teacher by teacher
  expected[0 * 4 + 0] = sum(wrong, 0, 3) / (sum(weight, 0, 3) + 1e-4);
  expected[0 * 4 + 1] = sum(wrong, 3, 8) / (sum(weight, 3, 15) + 1e-4);
  expected[2 * 4 + 1] = sum(wrong, 8, 15) / (sum(weight, 3, 15) + 1e-4);
  expected[3 * 4 + 3] = sum(wrong, 15, 20) / (sum(weight, 15, 20) + 1e-4);
  ASSERT_EQ(found.numel(), 16);
  for (std::int64_t i = 0; i < 16; ++i) {
    EXPECT_NEAR(found[i].item<double>(), expected[static_cast<std::size_t>(i)], 1e-12) << i;
  }
  expect_gradients_match([&](const auto& in) { return each(in[0]).square().sum(); }, {student});
}

TEST(Losses, GradientsAtATemperatureMatchFiniteDifferences) {
  torch::manual_seed(14);
  const at::Tensor logits = at::randn({2, 2, 4, 3}, at::kDouble), teacher = at::randn({2, 2, 4, 3}, at::kDouble);
  teacher[0][0][0].fill_(kSilent);
  const at::Tensor mask = at::tensor({1.0, 0.0, 1.0, 1.0}, at::kDouble).view({2, 2});
  for (const double t : {0.5, 3.0}) {
    expect_gradients_match(
        [&](const auto& in) {
          return (quality_focal(in[0], teacher, mask, t).value() + cross_entropy(in[0], teacher, mask, t).value())
              .sum();
        },
        {logits});
  }
}

TEST(Losses, TemperatureKeepsTheSizeOfGradientsAndTheCountOfObjects) {
  torch::manual_seed(15);
  const at::Tensor teacher = at::randn({1, 1, 8, 8}, at::kDouble) * 0.1, mask = at::ones({1, 1}, at::kDouble);
  // (sigmoid(z_S / T) - sigmoid(z_t / T)) / T * T^2 is (z_S - z_t) / 4 for small logits, at every T; and qfl's two
  // factors of the difference are divided by T too.
  for (const auto& loss : {cross_entropy, quality_focal}) {
    const auto slope = [&](double t) {
      const at::Tensor logits = leaf(teacher + 0.05);
      const Quotient q = loss(logits, teacher, mask, t);
      EXPECT_EQ(q.count.item<double>(), loss(logits, teacher, mask, 1).count.item<double>());
      q.value().sum().backward();
      return logits.grad().abs().sum().item<double>();
    };
    EXPECT_NEAR(slope(4) / slope(1), 1, 0.02);
  }
}

// PyTorch 2.11: kl_div(log_softmax(s.flatten(2) / T, 2), log_softmax(t.flatten(2) / T, 2), log_target=True), summed,
// times T^2 / 2 views.
TEST(Losses, ChannelWiseDistillationMatchesPyTorch) {
  const at::Tensor s =
      at::tensor({0.5, -1., 2., 0., 1.5, -2., 1., 0., -1., 3., -3., .5}, at::kDouble).view({2, 1, 2, 3});
  const at::Tensor t =
      at::tensor({1.5, -.5, 2.5, -1., .5, 0., 0., .25, -1.5, 2., -.5, 1.}, at::kDouble).view({2, 1, 2, 3});
  EXPECT_NEAR(channel_wise(s, t, everything(s), 0, 1).value().item<double>(), 0.252474443815, 1e-10);
  EXPECT_NEAR(channel_wise(s, t, everything(s), 0, 4).value().item<double>(), 0.541585179161, 1e-10);
}

TEST(Losses, ChannelWiseDistillationSeesNoShiftAndIsZeroForEquals) {
  torch::manual_seed(16);
  const at::Tensor t = at::randn({2, 2, 5, 5}, at::kDouble), s = at::randn({2, 2, 5, 5}, at::kDouble);
  const auto value = [&](const at::Tensor& logits) {
    return channel_wise(logits, t, everything(t), 0, 2).value().sum().template item<double>();
  };
  EXPECT_NEAR(value(s + 3), value(s), 1e-9);
  EXPECT_NEAR(value(t), 0, 1e-12);
  EXPECT_GT(value(s), 0.1);
}

TEST(Losses, ChannelWiseDistillationTakesDroppedCellsForTheFloor) {
  at::Tensor t = at::full({1, 1, 4, 4}, kSilent, at::kDouble);
  t[0][0][1][1] = 2.0;
  const double least = std::log(0.05 / 0.95);
  const at::Tensor same = at::where(at::isinf(t), least, t), lower = at::where(at::isinf(t), least - 5, t);
  for (const at::Tensor& student : {same, lower}) {
    EXPECT_NEAR(channel_wise(student, t, everything(t), 0.05, 1).value().item<double>(), 0, 1e-12);
  }
  const at::Tensor nothing = at::full({1, 1, 4, 4}, kSilent, at::kDouble);
  const at::Tensor student = leaf(at::randn({1, 1, 4, 4}, at::kDouble));
  const at::Tensor value = channel_wise(student, nothing, everything(t), 0.05, 1).value().sum();
  value.backward();
  EXPECT_GT(value.item<double>(), 0) << "a view without objects is flat";
  EXPECT_TRUE(at::isfinite(student.grad()).all().item<bool>());
}

TEST(Losses, GradientOfChannelWiseDistillationMatchesFiniteDifferences) {
  torch::manual_seed(17);
  const at::Tensor logits = at::randn({2, 2, 4, 3}, at::kDouble) * 2,
                   teacher = at::randn({2, 2, 4, 3}, at::kDouble) * 2;
  teacher[0][0][0].fill_(kSilent);
  const at::Tensor views = at::tensor({1.0, 0.0, 1.0, 1.0}, at::kDouble).view({2, 2});
  const at::Tensor cells = (at::rand({2, 2, 4, 3}) > 0.4).to(at::kDouble);
  cells[1][1].zero_();  // a view without a supervised cell
  for (const at::Tensor& mask : {views, cells}) {
    expect_gradients_match([&](const auto& in) { return channel_wise(in[0], teacher, mask, 0.05, 1.5).value().sum(); },
                           {logits});
  }
  const at::Tensor student = leaf(logits);
  channel_wise(student, teacher, cells, 0.05, 1.5).value().sum().backward();
  EXPECT_EQ((student.grad() * (1 - cells)).abs().max().item<double>(), 0) << "cells left out";
}

TEST(Losses, EveryHeatLossLeavesCellsOutThatTheMaskLeavesOut) {
  torch::manual_seed(18);
  const at::Tensor logits = at::randn({2, 2, 4, 3}, at::kDouble), teacher = at::randn({2, 2, 4, 3}, at::kDouble);
  const at::Tensor cells = (at::rand({2, 2, 4, 3}) > 0.5).to(at::kDouble);
  const std::vector<std::function<Quotient(const at::Tensor&)>> losses = {
      [&](const at::Tensor& z) { return quality_focal(z, teacher, cells); },
      [&](const at::Tensor& z) { return cross_entropy(z, teacher, cells); },
      [&](const at::Tensor& z) { return one_sided_relu(z, teacher, cells, 0.3); },
      [&](const at::Tensor& z) { return mean_squared_error(at::sigmoid(z), at::sigmoid(teacher), cells); }};
  for (const auto& loss : losses) {
    const at::Tensor student = leaf(logits);
    loss(student).value().sum().backward();
    EXPECT_EQ((student.grad() * (1 - cells)).abs().max().item<double>(), 0);
    EXPECT_GT((student.grad() * cells).abs().max().item<double>(), 0);
    EXPECT_TRUE(at::allclose(loss(logits + 9 * (1 - cells)).value(), loss(logits).value()));
    expect_gradients_match([&](const auto& in) { return loss(in[0]).value().sum(); }, {logits});
  }
  const Quotient mean = mean_squared_error(at::sigmoid(logits), at::sigmoid(teacher), cells);
  EXPECT_TRUE(at::equal(mean.count, cells.sum({0, 2, 3}))) << "a mean over the cells that count";
  const Quotient both = mean.joined(at::zeros({2}, at::kLong), 1);
  const at::Tensor squares = (at::sigmoid(logits) - at::sigmoid(teacher)).square() * cells;
  EXPECT_NEAR(both.value().item<double>(), (squares.sum() / cells.sum()).item<double>(), 1e-12);
}

TEST(Losses, NearPeaksAreTheCellsAroundPeaksAboveATenth) {
  at::Tensor p = at::zeros({1, 2, 8, 8}, at::kDouble);
  p[0][0][2][3] = 0.8;
  p[0][0][2][4] = 0.7;   // beside a larger one
  p[0][1][0][7] = 0.09;  // too faint
  at::Tensor expected = at::zeros_like(p);
  expected[0][0].slice(0, 0, 5).slice(1, 1, 6).fill_(1);
  EXPECT_TRUE(at::equal(near_peaks(p, 2), expected));
  expected.zero_();
  expected[0][0][2][3] = 1;
  EXPECT_TRUE(at::equal(near_peaks(p, 0), expected));
}

// ---- What the formulas mean ---------------------------------------------------------------------------------------

TEST(Losses, ReluOnBothSidesGivesAFreshStudentNoGradientAndOneSidedDoes) {
  const at::Tensor teacher = at::full({1, 1, 8, 8}, -4.0f);
  teacher[0][0][3][3].fill_(2.0f);
  const at::Tensor fresh = leaf(at::full({1, 1, 8, 8}, -2.19f));
  (at::relu(fresh) - at::relu(teacher)).square().mean().backward();
  EXPECT_EQ(fresh.grad().abs().max().item<float>(), 0);

  fresh.mutable_grad().zero_();
  one_sided_relu(fresh, teacher, at::ones({1, 1}), 0.5).value().sum().backward();
  EXPECT_LT(fresh.grad()[0][0][3][3].item<float>(), 0) << "pulled up where the teacher sees an object";
  EXPECT_EQ(fresh.grad()[0][0][0][0].item<float>(), 0) << "left alone where both are silent";
}

TEST(Losses, OneSidedReluEqualsThePublishedLossOnceTheStudentIsPositive) {
  const at::Tensor teacher = at::randn({2, 2, 6, 6}, at::kDouble), student = at::rand({2, 2, 6, 6}, at::kDouble) * 3;
  const double published = (at::relu(student) - at::relu(teacher)).square().mean().item<double>();
  EXPECT_NEAR(one_sided_relu(student, teacher, everything(student), 0.5).value().mean().item<double>(), published,
              1e-12);
}

TEST(Losses, QualityFocalIsZeroForAStudentThatEqualsItsTeacher) {
  const at::Tensor z = at::randn({2, 2, 6, 6}, at::kDouble);
  EXPECT_EQ(quality_focal(z, z, everything(z)).sum.sum().item<double>(), 0);
}

TEST(Losses, PeakMassSumsSupervisedPeaksAboveATenth) {
  at::Tensor p = at::zeros({2, 2, 7, 7}, at::kDouble);
  p[0][0][1][1] = 0.9;
  p[0][0][1][2] = 0.8;  // beside a larger one: no peak
  p[0][0][5][5] = 0.6;
  p[0][0][5][1] = 0.09;  // too faint
  p[1][0][3][3] = 0.7;   // not supervised
  p[1][1][3][3] = 0.5;
  const at::Tensor mask = at::tensor({1.0, 1.0, 0.0, 1.0}).view({2, 2}).to(at::kDouble);
  EXPECT_TRUE(at::allclose(peak_mass(p, mask), at::tensor({1.5, 0.5}, at::kDouble)));
}

}  // namespace
}  // namespace conclave
