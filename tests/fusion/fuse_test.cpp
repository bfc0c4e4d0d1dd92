#include "fusion/fuse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "fusion/loss_terms.h"
#include "fusion/losses.h"
#include "support/golden_tensors.h"
#include "support/gradient_check.h"
#include "support/target_parts.h"

namespace conclave {
namespace {

using ::testing::ElementsAre;

constexpr int kHeight = 8, kWidth = 12;

HeadOutputs random_heads(int batch, int channels, std::uint64_t seed, double mean = -1,
                         at::ScalarType type = at::kFloat) {
  torch::manual_seed(seed);
  return {at::randn({batch, channels, kHeight, kWidth}, type) * 2 + mean,
          at::rand({batch, 2, kHeight, kWidth}, type) * 9 + 1, at::rand({batch, 2, kHeight, kWidth}, type)};
}

HeadOutputs leaves(const HeadOutputs& heads) {
  return {heads.heat.clone().requires_grad_(true), heads.wh.clone().requires_grad_(true),
          heads.offset.clone().requires_grad_(true)};
}

DenseTargets decoded(const HeadOutputs& heads, const FusionOptions& options) {
  std::vector<SoftTargets> views;
  for (int b = 0; b < heads.heat.size(0); ++b) views.push_back(sparsify(heads, b, sparse_options(options)));
  std::vector<const SoftTargets*> pointers;
  for (const auto& view : views) pointers.push_back(&view);
  return densify(pointers);
}

// Two classes, a teacher each, two views: class 0 is labelled on the first.
struct Scene {
  std::vector<TeacherChannels> teachers = {{"red", {0}, 1.0}, {"white", {1}, 1.0}};
  std::vector<std::string> classes = {"rbc", "wbc"};
  std::vector<CoveredSet> sets = {{"a", {true, false}}, {"b", {false, false}}};
  FusionOptions options;

  BatchTargets targets() const {
    BatchTargets batch =
        make_masks(derive_coverage(options.method, options.both, classes, sets, teachers), {0, 1}, teachers.size());
    batch.labels = make_ground_truth({{{{4, 4, 20, 24}, 0}}, {}}, 2, kHeight, kWidth, options.min_overlap);
    batch.teachers = {decoded(random_heads(2, 1, 21), options), decoded(random_heads(2, 1, 22), options)};
    return batch;
  }
  Losses losses(const HeadOutputs& student) const { return fuse(student, targets(), teachers, options); }
};

TEST(Fuse, KdHasThreeTermsPerTeacherAndNoLabels) {
  const Losses losses = Scene().losses(random_heads(2, 2, 1));
  EXPECT_THAT(names_of(losses),
              ElementsAre("red/heat", "red/wh", "red/offset", "white/heat", "white/wh", "white/offset"));
  double sum = 0;
  for (const auto& term : losses.terms) sum += term.value.item<double>();
  EXPECT_NEAR(losses.total.item<double>(), sum, 1e-4);
}

TEST(Fuse, EveryLossIsFiniteAndReachesAllThreeHeads) {
  for (const DistillLoss loss : {DistillLoss::kQfl, DistillLoss::kRelu, DistillLoss::kProbPeaks, DistillLoss::kBce}) {
    for (const Method method : {Method::kKd, Method::kKdLabels}) {
      Scene scene;
      scene.options.loss = loss;
      scene.options.method = method;
      const HeadOutputs student = leaves(random_heads(2, 2, 2, -2.19));
      scene.losses(student).total.backward();
      for (const at::Tensor* head : {&student.heat, &student.wh, &student.offset}) {
        EXPECT_TRUE(at::isfinite(head->grad()).all().item<bool>());
        EXPECT_GT(head->grad().abs().sum().item<double>(), 0);
      }
    }
  }
}

TEST(Fuse, GradientsOfTheWholeMatchFiniteDifferences) {
  for (const DistillLoss loss : {DistillLoss::kQfl, DistillLoss::kRelu, DistillLoss::kProbPeaks, DistillLoss::kBce}) {
    Scene scene;
    scene.options.loss = loss;
    scene.options.method = Method::kKdLabels;
    const BatchTargets targets = scene.targets();
    const HeadOutputs student = random_heads(2, 2, 3, -1, at::kDouble);
    expect_directional_gradients_match(
        [&](const auto& in) {
          return fuse({in[0], in[1], in[2]}, targets, scene.teachers, scene.options).total;
        },
        {student.heat, student.wh, student.offset});
  }
}

TEST(Fuse, ProbPeaksMatchesThePublishedCode) {
  const GoldenTensors golden("kd_unit_nonorm");
  const auto teacher = [&](const std::string& name) {
    HeadOutputs heads{at::logit(golden.f64(name + "_cls")), golden.f64(name + "_wh"), golden.f64(name + "_reg")};
    DenseTargets said = dense_targets(heads);
    said.heat = heads.heat;
    said.wh = at_cells(heads.wh, said.index);
    said.offset = at_cells(heads.offset, said.index);
    return said;  // as double
  };
  BatchTargets targets = make_masks({{{.teachers = {0}}, {.teachers = {1}}}}, {0, 0}, 2);
  targets.teachers = {teacher("teacher0"), teacher("teacher1")};
  FusionOptions options;
  options.loss = DistillLoss::kProbPeaks;
  options.norm_wh = false;
  const LossWeights scale = default_scale(options.loss, options.norm_wh);
  options.distill = {1 / scale.heat, 1 / scale.wh, 1 / scale.offset};

  const at::Tensor cls = golden.f64("student_cls").requires_grad_(true);
  const HeadOutputs student = leaves({cls, golden.f64("student_wh"), golden.f64("student_reg")});
  const Losses losses = fuse({at::logit(cls), student.wh, student.offset}, targets, {{"a", {0}}, {"b", {1}}}, options);
  EXPECT_NEAR(losses.total.item<double>(), golden.scalar("total_loss_f64"), 1e-5);
  losses.total.backward();
  EXPECT_LT(largest_difference(cls.grad(), golden["grad_cls_f64"]), 1e-5);
  EXPECT_LT(largest_difference(student.wh.grad(), golden["grad_wh_f64"]), 1e-5);
  EXPECT_LT(largest_difference(student.offset.grad(), golden["grad_reg_f64"]), 1e-5);
}

TEST(Fuse, ReluFromRecordsEqualsTheDenseLossToHalfRounding) {
  for (const double floor : {0.5, 0.05}) {
    Scene scene;
    scene.options.loss = DistillLoss::kRelu;
    scene.options.floor = floor;
    BatchTargets targets = scene.targets();
    const HeadOutputs student = random_heads(2, 2, 4);
    const double sparse = fuse(student, targets, scene.teachers, scene.options).total.item<double>();
    targets.teachers = {dense_targets(random_heads(2, 1, 21)), dense_targets(random_heads(2, 1, 22))};
    const double dense = fuse(student, targets, scene.teachers, scene.options).total.item<double>();
    EXPECT_NEAR(sparse, dense, 2e-3 * dense);
  }
}

// A teacher's cells at probabilities 0.9, 0.4 and 0.1 pull on the student's box as far as each lies above box_floor.
TEST(Fuse, ABoxIsTaughtInProportionToTheLogitAboveTheBoxFloor) {
  const std::vector<double> sure = {0.9, 0.4, 0.1};
  const auto logit = [](double p) { return std::log(p / (1 - p)); };
  for (const double box_floor : {0.5, 0.2, 0.05}) {
    Scene scene;
    scene.options.box_floor = box_floor;
    scene.options.norm_wh = false;
    HeadOutputs said = random_heads(2, 1, 5);
    said.heat.fill_(-9);
    for (int i = 0; i < 3; ++i) said.heat[0][0][2][2 + 3 * i] = logit(sure[static_cast<std::size_t>(i)]);
    BatchTargets targets = scene.targets();
    targets.teachers = {decoded(said, scene.options), decoded(said, scene.options)};
    const HeadOutputs student = leaves(random_heads(2, 2, 6));
    fuse(student, targets, scene.teachers, scene.options).total.backward();
    const at::Tensor pull = student.wh.grad().abs().sum(1)[0][2];
    EXPECT_GT(pull[2].item<double>(), 0);
    for (int i = 1; i < 3; ++i) {
      const double above = std::max(0.0, logit(sure[static_cast<std::size_t>(i)]) - logit(box_floor));
      const double expected = above / (logit(sure[0]) - logit(box_floor));
      EXPECT_NEAR(pull[2 + 3 * i].item<double>() / pull[2].item<double>(), expected, 2e-3) << box_floor << " " << i;
    }
  }
}

TEST(Fuse, AClassThatATeacherDoesNotSuperviseOnAViewGetsNothingThere) {
  Scene scene;
  scene.options.method = Method::kKdLabels;
  scene.options.both = false;  // class 0 of view 0: labels alone
  BatchTargets targets = scene.targets();
  EXPECT_EQ(targets.teacher_mask[0][0][0].item<float>(), 0);
  const HeadOutputs student = leaves(random_heads(2, 2, 5));
  const Losses before = fuse(student, targets, scene.teachers, scene.options);
  targets.teachers[0].heat[0].fill_(5.0f);
  const at::Tensor first = targets.teachers[0].index < kHeight * kWidth;
  EXPECT_GT(first.sum().item<int>(), 0);
  targets.teachers[0].wh.masked_fill_(first.unsqueeze(1), 50.0f);
  const Losses after = fuse(student, targets, scene.teachers, scene.options);
  EXPECT_EQ(before.total.item<double>(), after.total.item<double>());
  after.terms[3].value.backward({}, /*retain_graph=*/true);
  EXPECT_EQ(after.terms[3].name, "red/heat");
  EXPECT_EQ(student.heat.grad()[0].abs().max().item<float>(), 0);
  EXPECT_GT(student.heat.grad()[1][0].abs().max().item<float>(), 0);
  after.terms[4].value.backward();
  EXPECT_EQ(after.terms[4].name, "red/wh");
  EXPECT_EQ(student.wh.grad()[0].abs().max().item<float>(), 0);
  EXPECT_GT(student.wh.grad()[1].abs().max().item<float>(), 0);
}

TEST(Fuse, IgnoredClassesGetExactlyNoGradientAndBackgroundOnesArePushedDown) {
  Scene scene;
  scene.sets = {{"a", {true, false}}, {"b", {false, true}}};
  for (const Method method : {Method::kIgnore, Method::kBackground}) {
    scene.options.method = method;
    const HeadOutputs student = leaves(random_heads(2, 2, 6));
    const Losses losses = scene.losses(student);
    EXPECT_THAT(names_of(losses), ElementsAre("labels/heat", "labels/wh", "labels/offset"));
    losses.total.backward();
    const at::Tensor unlabelled = student.heat.grad()[0][1];
    if (method == Method::kIgnore) {
      EXPECT_EQ(unlabelled.abs().max().item<float>(), 0);
    } else {
      EXPECT_GT(unlabelled.min().item<float>(), 0);
    }
  }
}

TEST(Fuse, ABatchWithNothingSupervisedIsZeroWithTheSameTerms) {
  Scene scene;
  scene.options.method = Method::kKdLabels;
  BatchTargets targets = scene.targets();
  const auto names = names_of(fuse(random_heads(2, 2, 7), targets, scene.teachers, scene.options));
  targets.label_mask.zero_();
  for (auto& mask : targets.teacher_mask) mask.zero_();
  const HeadOutputs student = leaves(random_heads(2, 2, 7));
  const Losses losses = fuse(student, targets, scene.teachers, scene.options);
  EXPECT_EQ(names_of(losses), names);
  EXPECT_EQ(losses.total.item<double>(), 0);
  losses.total.backward();
  for (const at::Tensor* head : {&student.heat, &student.wh, &student.offset}) {
    EXPECT_EQ(head->grad().abs().max().item<float>(), 0);
  }
}

TEST(Fuse, ABatchWithoutObjectsIsFinite) {
  Scene scene;
  for (const bool per_class : {true, false}) {
    scene.options.method = Method::kKdLabels;
    scene.options.per_class = per_class;
    BatchTargets targets = scene.targets();
    targets.labels = make_ground_truth({{}, {}}, 2, kHeight, kWidth, 0.3);
    const HeadOutputs student = leaves(random_heads(2, 2, 8));
    const Losses losses = fuse(student, targets, scene.teachers, scene.options);
    losses.total.backward();
    EXPECT_TRUE(std::isfinite(losses.total.item<double>()));
    EXPECT_EQ(value_of(losses, "labels/wh"), 0);
    EXPECT_TRUE(at::isfinite(student.wh.grad()).all().item<bool>());
  }
}

TEST(Fuse, Bfloat16HeadsAreComputedInFloat) {
  Scene scene;
  const HeadOutputs full = random_heads(2, 2, 9);
  const HeadOutputs half{full.heat.to(at::kBFloat16), full.wh.to(at::kBFloat16), full.offset.to(at::kBFloat16)};
  const HeadOutputs rounded{half.heat.to(at::kFloat), half.wh.to(at::kFloat), half.offset.to(at::kFloat)};
  const Losses losses = scene.losses(half);
  EXPECT_EQ(losses.total.scalar_type(), at::kFloat);
  EXPECT_EQ(losses.total.item<float>(), scene.losses(rounded).total.item<float>());
}

TEST(Fuse, WeightsMultiplyTheirTerms) {
  Scene scene;
  scene.options.method = Method::kKdLabels;
  const HeadOutputs student = random_heads(2, 2, 10);
  const Losses one = scene.losses(student);
  scene.options.distill = {2, 3, 4};
  scene.options.label = {5, 6, 7};
  const Losses many = scene.losses(student);
  const double factors[] = {5, 6, 7, 2, 3, 4, 2, 3, 4};
  ASSERT_EQ(many.terms.size(), 9u);
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_NEAR(many.terms[i].value.item<double>(), factors[i] * one.terms[i].value.item<double>(), 1e-4) << i;
  }
}

TEST(Fuse, OneTeacherOfSeveralClassesMapsItsChannelsByName) {
  // Channels in another order than the student's, one of them of no use.
  const HeadOutputs answer = random_heads(2, 3, 11);
  FusionOptions options;
  BatchTargets targets = make_masks({{{.teachers = {0}}, {.teachers = {0}}}}, {0, 0}, 1);
  targets.teachers = {dense_targets(answer)};
  const HeadOutputs student = {at::stack({answer.heat.select(1, 2), answer.heat.select(1, 0)}, 1), answer.wh,
                               answer.offset};
  const Losses losses = fuse(student, targets, {{"all", {1, -1, 0}}}, options);
  EXPECT_EQ(losses.total.item<double>(), 0) << "the student equals its teacher";
}

TEST(Fuse, RefusesTargetsThatDoNotFit) {
  Scene scene;
  const HeadOutputs student = random_heads(2, 2, 14);
  BatchTargets targets = scene.targets();
  targets.teachers.pop_back();
  EXPECT_THROW(fuse(student, targets, scene.teachers, scene.options), Error);
  targets = scene.targets();
  EXPECT_THROW(fuse(student, targets, {{"red", {0, 1}}, {"white", {1}}}, scene.options), Error);
  targets.teacher_mask[0] = at::ones({1, 2});
  EXPECT_THROW(fuse(student, targets, scene.teachers, scene.options), Error);
  const auto refused = [&](auto spoil) {
    BatchTargets spoiled = scene.targets();
    spoil(spoiled.teachers[0]);
    EXPECT_THROW(fuse(student, spoiled, scene.teachers, scene.options), Error);
  };
  refused([](DenseTargets& t) { t.heat = t.heat.narrow(2, 1, kHeight - 1); });
  refused([](DenseTargets& t) { t.heat = t.heat.narrow(0, 1, 1); });
  refused([](DenseTargets& t) { t.wh = t.wh.narrow(1, 0, 1); });
  refused([](DenseTargets& t) { t.offset = t.offset.narrow(1, 0, 1); });
  refused([](DenseTargets& t) { t.index = t.index.narrow(0, 1, t.index.size(0) - 1); });
}

TEST(Fuse, MasksFollowTheCoverage) {
  Scene scene;
  scene.options.method = Method::kPseudo;
  const BatchTargets pseudo =
      make_masks(derive_coverage(Method::kPseudo, true, scene.classes, scene.sets, scene.teachers), {1, 0, 1}, 2);
  EXPECT_TRUE(at::equal(pseudo.label_mask, at::ones({3, 2})));
  EXPECT_EQ(pseudo.teacher_mask[0].sum().item<float>(), 0) << "their boxes are labels already";
  const BatchTargets mixed =
      make_masks(derive_coverage(Method::kKdLabels, false, scene.classes, scene.sets, scene.teachers), {1, 0, 1}, 2);
  EXPECT_TRUE(at::equal(mixed.label_mask, at::tensor({0.f, 0.f, 1.f, 0.f, 0.f, 0.f}).view({3, 2})));
  EXPECT_TRUE(at::equal(mixed.teacher_mask[0], at::tensor({1.f, 0.f, 0.f, 0.f, 1.f, 0.f}).view({3, 2})));
  EXPECT_TRUE(at::equal(mixed.teacher_mask[1], at::tensor({0.f, 1.f, 0.f, 1.f, 0.f, 1.f}).view({3, 2})));
}

TEST(Fuse, WireNeedsFollowTheLoss) {
  FusionOptions options;
  EXPECT_EQ(sparse_options(options), (SparseOptions{0.05f, BoxRule::kAbove, 0.2f}));
  options.loss = DistillLoss::kRelu;
  options.floor = 0.5;
  EXPECT_EQ(sparse_options(options), (SparseOptions{0.5f, BoxRule::kAbove, 0.5f})) << "what is not sent has no box";
  options.loss = DistillLoss::kProbPeaks;
  options.floor = 0;
  EXPECT_EQ(sparse_options(options), (SparseOptions{0.0f, BoxRule::kPeaks, 0}));
}

TEST(Fuse, FloorsThatLeaveNothingToLearnFromAreErrors) {
  FusionOptions options;
  for (const double floor : {1.0, -0.3}) {
    options.floor = floor;
    EXPECT_THROW(sparse_options(options), Error) << floor;
  }
  FusionOptions pseudo;
  pseudo.method = Method::kPseudo;
  pseudo.loss = DistillLoss::kRelu;
  pseudo.floor = 0.5;
  pseudo.pseudo.threshold = 0.3;
  EXPECT_EQ(sparse_options(pseudo), (SparseOptions{0.3f, BoxRule::kPeaks, 0}))
      << "peaks from 0.3 to 0.5 need their boxes";
  options.floor = 0;
  EXPECT_EQ(effective_floor(options), 0);
  options.loss = DistillLoss::kRelu;
  EXPECT_THROW(effective_floor(options), Error);
}

// One view of the scene's batch, as a rank would hold it.
BatchTargets part_of(const BatchTargets& whole, const Scene& scene, std::int64_t view,
                     const std::vector<LabelBox>& boxes) {
  BatchTargets part;
  part.labels = make_ground_truth({boxes}, 2, kHeight, kWidth, scene.options.min_overlap);
  part.label_mask = whole.label_mask.narrow(0, view, 1);
  for (const DenseTargets& t : whole.teachers) part.teachers.push_back(part_of(t, view, 1));
  for (const at::Tensor& mask : whole.teacher_mask) part.teacher_mask.push_back(mask.narrow(0, view, 1));
  return part;
}

TEST(Fuse, LossesOfTheJoinedPartsAddUpToTheLossOfTheWholeBatch) {
  const HeadOutputs student = random_heads(2, 2, 1);
  const auto view = [&](std::int64_t v) {
    return HeadOutputs{student.heat.narrow(0, v, 1), student.wh.narrow(0, v, 1), student.offset.narrow(0, v, 1)};
  };
  for (const bool per_class : {true, false}) {
    for (const DistillLoss loss : {DistillLoss::kQfl, DistillLoss::kRelu, DistillLoss::kProbPeaks, DistillLoss::kBce}) {
      Scene scene;
      scene.options.method = Method::kKdLabels;
      scene.options.loss = loss;
      scene.options.per_class = per_class;
      const BatchTargets whole = scene.targets();
      const std::vector<BatchTargets> parts = {part_of(whole, scene, 0, {{{4, 4, 20, 24}, 0}}),
                                               part_of(whole, scene, 1, {})};
      std::vector<std::vector<at::Tensor>> counts;
      for (std::int64_t v = 0; v < 2; ++v) {
        fuse(view(v), parts[static_cast<std::size_t>(v)], scene.teachers, scene.options,
             [&](const std::vector<at::Tensor>& own) { counts.push_back(own); });
      }
      const auto join = [&](const std::vector<at::Tensor>& own) {
        for (std::size_t i = 0; i < own.size(); ++i) own[i].copy_(counts[0][i] + counts[1][i]);
      };
      const Losses first = fuse(view(0), parts[0], scene.teachers, scene.options, join);
      const Losses second = fuse(view(1), parts[1], scene.teachers, scene.options, join);
      const Losses expected = fuse(student, whole, scene.teachers, scene.options);
      for (std::size_t i = 0; i < expected.terms.size(); ++i) {
        const double sum = first.terms[i].value.item<double>() + second.terms[i].value.item<double>();
        const double value = expected.terms[i].value.item<double>();
        EXPECT_NEAR(sum, value, 1e-5 * std::abs(value)) << expected.terms[i].name;
      }
    }
  }
}

// Class by class, each computed alone.
TEST(Fuse, AHeatTermAddsUpTheClassesOfItsTeachersOrIsTheMeanOverAllTheirCells) {
  const HeadOutputs student = random_heads(2, 3, 31, 0), said = random_heads(2, 2, 32, 0);
  for (const DistillLoss loss : {DistillLoss::kQfl, DistillLoss::kBce, DistillLoss::kRelu, DistillLoss::kProbPeaks}) {
    FusionOptions options;
    options.loss = loss;
    options.cwd.weight = 1;
    const double scale = default_scale(loss, true).heat, floor = effective_floor(options);
    // Class 0 counts on both views, classes 1 and 2 on the first.
    BatchTargets targets =
        make_masks({{{.teachers = {0}}, {.teachers = {1}}, {.teachers = {0}}}, {{.teachers = {0}}, {}, {}}}, {0, 1}, 2);
    targets.teachers = {decoded(said, options), decoded(random_heads(2, 1, 33, 0), options)};
    const Losses losses = fuse(student, targets, {{"two", {0, 2}}, {"one", {1}}}, options);
    EXPECT_THAT(names_of(losses), ElementsAre("two/heat", "two/cwd", "two/wh", "two/offset", "one/heat", "one/cwd",
                                              "one/wh", "one/offset"));
    const auto alone = [&](std::int64_t cls, bool cwd) {
      const at::Tensor own = student.heat.narrow(1, cls, 1);
      const at::Tensor heat = cls == 1 ? targets.teachers[1].heat : targets.teachers[0].heat.narrow(1, cls / 2, 1);
      const at::Tensor mask = at::tensor({1.f, cls == 0 ? 1.f : 0.f}).view({2, 1});
      if (cwd) return channel_wise(own, heat, mask, floor, 1);
      if (loss == DistillLoss::kQfl) return quality_focal(own, heat, mask);
      if (loss == DistillLoss::kBce) return cross_entropy(own, heat, mask);
      if (loss == DistillLoss::kRelu) return one_sided_relu(own, heat, mask, floor);
      return mean_squared_error(at::sigmoid(own), at::sigmoid(heat), mask);
    };
    const auto value = [&](std::int64_t cls, bool cwd) {
      return alone(cls, cwd).value().item<double>() /
             (cls == 0 ? 1 : 2);  // of the batch's two views it is heard on one
    };
    const bool mean = loss == DistillLoss::kRelu || loss == DistillLoss::kProbPeaks;
    const double two = (value(0, false) + value(2, false)) / (mean ? 2 : 1);
    EXPECT_NEAR(value_of(losses, "two/heat"), scale * two, 1e-4 * scale * two);
    EXPECT_NEAR(value_of(losses, "one/heat"), scale * value(1, false), 1e-4 * scale * value(1, false));
    EXPECT_NEAR(value_of(losses, "two/cwd"), value(0, true) + value(2, true), 1e-4);
    EXPECT_NEAR(value_of(losses, "one/cwd"), value(1, true), 1e-4);
  }
}

TEST(Fuse, ATeacherWithoutAClassOfTheStudentHasNoTermAndChangesNothing) {
  Scene scene;
  const HeadOutputs student = random_heads(2, 2, 34);
  BatchTargets targets = scene.targets();
  const Losses without = fuse(student, targets, scene.teachers, scene.options);
  targets.teachers.insert(targets.teachers.begin() + 1, decoded(random_heads(2, 1, 35), scene.options));
  targets.teacher_mask.insert(targets.teacher_mask.begin() + 1, at::zeros({2, 2}));
  const Losses with = fuse(student, targets, {scene.teachers[0], {"other", {-1}}, scene.teachers[1]}, scene.options);
  EXPECT_EQ(names_of(with), names_of(without));
  EXPECT_EQ(with.total.item<float>(), without.total.item<float>());
}

TEST(Fuse, AValueThatIsNotFiniteShowsInItsOwnTermAlone) {
  const Scene scene;
  BatchTargets targets = scene.targets();
  targets.teachers[1].wh.fill_(std::numeric_limits<float>::quiet_NaN());
  for (const LossTerm& term : fuse(random_heads(2, 2, 1), targets, scene.teachers, scene.options).terms) {
    EXPECT_EQ(std::isfinite(term.value.item<float>()), term.name != "white/wh") << term.name;
  }
}

}  // namespace
}  // namespace conclave
