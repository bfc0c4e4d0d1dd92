// What the options of fuse() that are off by default do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "core/error.h"
#include "fusion/fuse.h"
#include "fusion/loss_terms.h"
#include "fusion/losses.h"
#include "models/decode.h"
#include "support/gradient_check.h"
#include "support/target_parts.h"

namespace conclave {
namespace {

using ::testing::ElementsAre;

constexpr int kHeight = 8, kWidth = 12;

HeadOutputs random_heads(int batch, int channels, std::uint64_t seed, double mean = -1, int pairs = 1,
                         at::ScalarType type = at::kFloat) {
  torch::manual_seed(seed);
  return {at::randn({batch, channels, kHeight, kWidth}, type) * 2 + mean,
          at::rand({batch, 2 * pairs, kHeight, kWidth}, type) * 9 + 1, at::rand({batch, 2, kHeight, kWidth}, type)};
}

HeadOutputs leaves(const HeadOutputs& heads) {
  return {heads.heat.clone().requires_grad_(true), heads.wh.clone().requires_grad_(true),
          heads.offset.clone().requires_grad_(true)};
}

DenseTargets sent(const HeadOutputs& heads, const FusionOptions& options) {
  std::vector<SoftTargets> views;
  for (int b = 0; b < heads.heat.size(0); ++b) views.push_back(sparsify(heads, b, sparse_options(options)));
  std::vector<const SoftTargets*> pointers;
  for (const auto& view : views) pointers.push_back(&view);
  return densify(pointers);
}

const std::vector<LabelBox> kBoxes = {{{4, 4, 20, 24}, 0}, {{20, 8, 40, 30}, 0}};

// Two classes with a teacher each, two views; class 0 is labelled on the first.
struct Scene {
  std::vector<TeacherChannels> teachers = {{"red", {0}}, {"white", {1}}};
  FusionOptions options;

  BatchTargets targets() const {
    const std::vector<CoveredSet> sets = {{"a", {true, false}}, {"b", {false, false}}};
    BatchTargets batch =
        make_masks(derive_coverage(options.method, options.both, {"rbc", "wbc"}, sets, teachers), {0, 1}, 2);
    batch.labels = make_ground_truth({kBoxes, {}}, 2, kHeight, kWidth, options.min_overlap);
    for (std::size_t t = 0; t < teachers.size(); ++t) {
      const int channels = static_cast<int>(teachers[t].student_class.size());
      batch.teachers.push_back(sent(random_heads(2, channels, 21 + t), options));
    }
    return batch;
  }
  Losses losses(const HeadOutputs& student) const { return fuse(student, targets(), teachers, options); }
};

// One view of a batch, as a rank would hold it.
BatchTargets part_of(const BatchTargets& whole, std::int64_t view) {
  BatchTargets part;
  part.labels = make_ground_truth({view == 0 ? kBoxes : std::vector<LabelBox>()}, 2, kHeight, kWidth, 0.3);
  part.label_mask = whole.label_mask.narrow(0, view, 1);
  for (const DenseTargets& t : whole.teachers) part.teachers.push_back(part_of(t, view, 1));
  for (const at::Tensor& mask : whole.teacher_mask) part.teacher_mask.push_back(mask.narrow(0, view, 1));
  return part;
}

FusionOptions everything_on() {
  FusionOptions options;
  options.method = Method::kKdLabels;
  options.temperature = 2;
  options.cwd.weight = 0.5;
  options.cells.peaks = true;
  options.box = BoxLoss::kCiou;
  options.labels_win = true;
  return options;
}

// A teacher of each class; one of the second class beside one of both.
std::vector<std::vector<TeacherChannels>> casts() {
  return {{{"red", {0}}, {"white", {1}}}, {{"white", {1}}, {"both", {0, 1}}}};
}

std::vector<std::pair<std::string, FusionOptions>> variants() {
  std::vector<std::pair<std::string, FusionOptions>> all;
  const auto add = [&](const std::string& name, auto change) {
    FusionOptions options;
    options.method = Method::kKdLabels;
    change(options);
    all.emplace_back(name, options);
  };
  add("temperature", [](auto& o) { o.temperature = 3; });
  add("cwd", [](auto& o) { o.cwd = {2, 1.5}; });
  add("cells", [](auto& o) { o.cells = {true, 1}; });
  add("giou", [](auto& o) { o.box = BoxLoss::kGiou; });
  add("ciou joint", [](auto& o) {
    o.box = BoxLoss::kCiou;
    o.per_class = false;
  });
  add("labels_win", [](auto& o) { o.labels_win = true; });
  all.emplace_back("everything", everything_on());
  return all;
}

TEST(FusionOptions, EveryOptionChangesTheLossAndItsGradientsMatchFiniteDifferences) {
  const HeadOutputs student = random_heads(2, 2, 3, -1, 1, at::kDouble);
  Scene plain;
  plain.options.method = Method::kKdLabels;
  for (const auto& cast : casts()) {
    plain.teachers = cast;
    for (const auto& [name, options] : variants()) {
      SCOPED_TRACE(cast.back().name + ", " + name);
      const Scene scene{cast, options};
      plain.options.per_class = options.per_class;
      const BatchTargets targets = scene.targets();
      EXPECT_NE(scene.losses(student).total.item<double>(), plain.losses(student).total.item<double>());
      expect_directional_gradients_match(
          [&](const auto& in) {
            return fuse({in[0], in[1], in[2]}, targets, scene.teachers, scene.options).total;
          },
          {student.heat, student.wh, student.offset}, 8);
    }
  }
}

// join() of two ranks that run one after the other: every call is answered with the sums of that call on all ranks.
class TwoRanks {
 public:
  TwoRanks(std::function<Losses(int, const JoinCounts&)> rank) {
    // A rank's second call depends on the answer to its first: repeat until every call is known.
    for (std::size_t known = 0;; ++known) {
      std::vector<std::vector<at::Tensor>> asked[2];
      for (int r = 0; r < 2; ++r) {
        losses_[r] = rank(r, [&](const std::vector<at::Tensor>& own) {
          std::vector<at::Tensor> copies;
          for (const at::Tensor& tensor : own) copies.push_back(tensor.clone());
          asked[r].push_back(copies);
          if (asked[r].size() > known) return;
          for (std::size_t i = 0; i < own.size(); ++i) own[i].copy_(sums_[asked[r].size() - 1][i]);
        });
      }
      if (known == asked[0].size()) return;
      std::vector<at::Tensor> sums;
      for (std::size_t i = 0; i < asked[0][known].size(); ++i) sums.push_back(asked[0][known][i] + asked[1][known][i]);
      sums_.push_back(sums);
    }
  }
  const Losses& operator[](int rank) const { return losses_[rank]; }

 private:
  std::vector<std::vector<at::Tensor>> sums_;
  Losses losses_[2];
};

void expect_ranks_add_up(const Scene& scene) {
  const BatchTargets whole = scene.targets();
  const HeadOutputs heads = random_heads(2, 2, 1, -1, 1, at::kDouble);
  const HeadOutputs one = leaves(heads), two = leaves(heads);
  const Losses expected = fuse(one, whole, scene.teachers, scene.options);
  const TwoRanks ranks([&](int rank, const JoinCounts& join) {
    const HeadOutputs own{two.heat.narrow(0, rank, 1), two.wh.narrow(0, rank, 1), two.offset.narrow(0, rank, 1)};
    return fuse(own, part_of(whole, rank), scene.teachers, scene.options, join);
  });
  const double total = expected.total.item<double>();
  EXPECT_NEAR(ranks[0].total.item<double>() + ranks[1].total.item<double>(), total, 1e-6 * total);
  for (std::size_t i = 0; i < expected.terms.size(); ++i) {
    const double value = expected.terms[i].value.item<double>();
    EXPECT_NEAR(ranks[0].terms[i].value.item<double>() + ranks[1].terms[i].value.item<double>(), value,
                1e-6 * std::abs(value))
        << expected.terms[i].name;
  }
  expected.total.backward();
  (ranks[0].total + ranks[1].total).backward();
  EXPECT_TRUE(at::allclose(two.heat.grad(), one.heat.grad(), 1e-5, 1e-8));
  EXPECT_TRUE(at::allclose(two.wh.grad(), one.wh.grad(), 1e-5, 1e-8));
}

TEST(FusionOptions, LossesAndGradientsOfTwoRanksAddUpToThoseOfTheWholeBatch) {
  auto all = variants();
  all.emplace_back("balanced", FusionOptions());
  all.back().second.method = Method::kKdLabels;
  all.back().second.balance.fixed_value = true;
  all.emplace_back("everything balanced", everything_on());
  all.back().second.balance.fixed_value = true;
  for (const auto& cast : casts()) {
    for (const auto& [name, options] : all) {
      SCOPED_TRACE(cast.back().name + ", " + name);
      expect_ranks_add_up({cast, options});
    }
  }
}

TEST(FusionOptions, BalancingGivesEveryTermItsSetValueAndKeepsItsDirection) {
  Scene scene;
  scene.options.method = Method::kKdLabels;
  scene.options.distill.wh = 2;
  scene.options.label.offset = 0;
  const HeadOutputs plain_student = leaves(random_heads(2, 2, 4)), student = leaves(random_heads(2, 2, 4));
  const Losses plain = scene.losses(plain_student);
  scene.options.balance.fixed_value = true;
  scene.options.balance.value = {3, 0.5, 0.25};
  const Losses balanced = scene.losses(student);
  // Labels: 3 + 0.5 + 0; two teachers: 3 + 2 * 0.5 + 0.25 each.
  EXPECT_NEAR(balanced.total.item<double>(), 3.5 + 2 * 4.25, 1e-5);
  EXPECT_EQ(names_of(balanced), names_of(plain));
  for (std::size_t i = 0; i < plain.terms.size(); ++i) {
    EXPECT_EQ(balanced.terms[i].value.item<float>(), plain.terms[i].value.item<float>()) << "the log shows it as it is";
  }
  balanced.total.backward();
  at::Tensor expected = at::zeros_like(student.heat);
  for (const char* name : {"labels/heat", "red/heat", "white/heat"}) {
    for (const LossTerm& term : plain.terms) {
      if (term.name != name) continue;
      const at::Tensor gradient = torch::autograd::grad({term.value}, {plain_student.heat}, {}, true)[0];
      expected += gradient * (3 / term.value.item<double>());
    }
  }
  EXPECT_TRUE(at::allclose(student.heat.grad(), expected, 1e-4, 1e-6));
}

TEST(FusionOptions, BalancingABatchWithoutAnythingSupervisedIsZero) {
  Scene scene;
  scene.options = everything_on();
  scene.options.balance.fixed_value = true;
  BatchTargets targets = scene.targets();
  targets.label_mask.zero_();
  for (auto& mask : targets.teacher_mask) mask.zero_();
  const HeadOutputs student = leaves(random_heads(2, 2, 5));
  const Losses losses = fuse(student, targets, scene.teachers, scene.options);
  EXPECT_EQ(losses.total.item<double>(), 0);
  losses.total.backward();
  for (const at::Tensor* head : {&student.heat, &student.wh, &student.offset}) {
    EXPECT_EQ(head->grad().abs().max().item<float>(), 0);
  }
}

TEST(FusionOptions, AnExtraLossIsATermOfItsOwn) {
  Scene scene;
  scene.options.cwd.weight = 2;
  scene.options.box = BoxLoss::kGiou;
  const HeadOutputs student = random_heads(2, 2, 6);
  const Losses losses = scene.losses(student);
  EXPECT_THAT(names_of(losses), ElementsAre("red/heat", "red/cwd", "red/wh", "red/offset", "red/iou", "white/heat",
                                            "white/cwd", "white/wh", "white/offset", "white/iou"));
  const DenseTargets red = scene.targets().teachers[0];
  const at::Tensor mask = at::ones({2, 1});
  EXPECT_NEAR(value_of(losses, "red/cwd"),
              2 * channel_wise(student.heat.narrow(1, 0, 1), red.heat, mask, 0.05, 1).value().item<double>(), 1e-5);
  const HeadOutputs said = as_heads(red);
  const at::Tensor sure = at::relu(red.heat + std::log(4.0)).squeeze(1);  // over the whole grid: 0 where no box is
  const at::Tensor error = overlap_error(BoxLoss::kGiou, {student.wh, student.offset}, {said.wh, said.offset});
  EXPECT_NEAR(value_of(losses, "red/iou"), ((sure * error).sum() / (sure.sum() + 1e-4)).item<double>(), 1e-5);
  BatchTargets labelled = scene.targets();
  scene.options.method = Method::kLabels;
  labelled.label_mask.fill_(1);
  EXPECT_THAT(names_of(fuse(student, labelled, {}, scene.options)),
              ElementsAre("labels/heat", "labels/wh", "labels/offset", "labels/iou"));
}

TEST(FusionOptions, PeaksAloneAreHeardWhereCellsArePeaks) {
  Scene scene;
  scene.options.cells = {true, 1};
  const HeadOutputs student = leaves(random_heads(2, 2, 7));
  scene.losses(student).total.backward();
  const at::Tensor near = near_peaks(at::sigmoid(scene.targets().teachers[0].heat), 1);
  EXPECT_GT(near.sum().item<double>(), 0);
  EXPECT_LT(near.mean().item<double>(), 1);
  const at::Tensor gradient = student.heat.grad().narrow(1, 0, 1);
  EXPECT_EQ((gradient * (1 - near)).abs().max().item<float>(), 0);
  EXPECT_GT((gradient * near).abs().max().item<float>(), 0);
}

// The weighted mean error of each class's boxes, added up. weight, error (B,1,H,W); a cell's box is that of the class
// whose heat (B,C,H,W) is the highest there.
double mean_error_of_each_class(const at::Tensor& weight, const at::Tensor& error, const at::Tensor& heat) {
  const at::Tensor strongest = heat.argmax(1, /*keepdim=*/true);
  double sum = 0;
  for (std::int64_t c = 0; c < heat.size(1); ++c) {
    const at::Tensor own = weight * (strongest == c).to(weight.scalar_type());
    sum += ((own * error).sum() / (own.sum() + 1e-4)).item<double>();
  }
  return sum;
}

TEST(FusionOptions, ABoxCountsWhereItsOwnClassHasAPeak) {
  FusionOptions options;
  options.cells = {true, 0};
  const HeadOutputs student = random_heads(2, 2, 17);
  BatchTargets targets = make_masks({{{.teachers = {0}}, {.teachers = {0}}}}, {0, 0}, 1);
  targets.teachers = {sent(random_heads(2, 2, 18, 0), options)};
  const at::Tensor heat = targets.teachers[0].heat, wh = as_heads(targets.teachers[0]).wh;
  const at::Tensor near = near_peaks(at::sigmoid(heat), 0).gather(1, heat.argmax(1, true));
  const at::Tensor weight = at::relu(heat.amax(1, true) + std::log(4.0)) * near;
  const at::Tensor error = (student.wh - wh).abs().sum(1, true) / mean_side(wh, 1);
  const Losses losses = fuse(student, targets, {{"both", {0, 1}}}, options);
  EXPECT_NEAR(value_of(losses, "both/wh"), mean_error_of_each_class(weight, error, heat), 1e-5);
  EXPECT_GT(near.sum().item<float>(), 4);
}

TEST(FusionOptions, WhereALabelDrewItSpeaksAloneAndTheTeacherSpeaksElsewhere) {
  Scene scene;
  scene.options.method = Method::kKdLabels;
  scene.options.labels_win = true;
  const BatchTargets targets = scene.targets();
  const at::Tensor drawn = (targets.labels.heat > 0).to(at::kFloat);
  const HeadOutputs student = leaves(random_heads(2, 2, 8));
  const Losses losses = fuse(student, targets, scene.teachers, scene.options);
  const auto gradient_of = [&](const std::string& name, const at::Tensor& head) {
    for (const LossTerm& term : losses.terms) {
      if (term.name == name) return torch::autograd::grad({term.value}, {head}, {}, true)[0];
    }
    return at::Tensor();
  };
  const at::Tensor by_labels = gradient_of("labels/heat", student.heat)[0][0];
  const at::Tensor by_teacher = gradient_of("red/heat", student.heat);
  const at::Tensor here = drawn[0][0];
  EXPECT_EQ((by_labels * (1 - here)).abs().max().item<float>(), 0);
  EXPECT_GT((by_labels * here).abs().max().item<float>(), 0);
  EXPECT_EQ((by_teacher[0][0] * here).abs().max().item<float>(), 0);
  EXPECT_GT((by_teacher[0][0] * (1 - here)).abs().max().item<float>(), 0);
  EXPECT_GT(by_teacher[1][0].abs().max().item<float>(), 0) << "the view without labels is the teacher's";
  const at::Tensor boxes = gradient_of("red/wh", student.wh)[0].abs().sum(0);
  EXPECT_EQ((boxes * here).max().item<float>(), 0);
  EXPECT_GT(gradient_of("labels/wh", student.wh)[0].abs().max().item<float>(), 0);
}

// Objects that labels take from a teacher still divide its terms: what is left of it gets no louder.
TEST(FusionOptions, WhatLabelsLeaveToATeacherWeighsWhatItDid) {
  for (const DistillLoss loss : {DistillLoss::kQfl, DistillLoss::kBce}) {
    Scene scene;
    scene.options.method = Method::kKdLabels;
    scene.options.loss = loss;
    const HeadOutputs student = leaves(random_heads(2, 2, 8));
    const auto gradients = [&](bool labels_win) {
      scene.options.labels_win = labels_win;
      at::Tensor heat, wh;
      for (const LossTerm& term : scene.losses(student).terms) {
        if (term.name == "red/heat") heat = torch::autograd::grad({term.value}, {student.heat}, {}, true)[0];
        if (term.name == "red/wh") wh = torch::autograd::grad({term.value}, {student.wh}, {}, true)[0];
      }
      return std::pair(heat, wh);
    };
    const auto [heat, wh] = gradients(true);
    const auto [all_heat, all_wh] = gradients(false);
    const at::Tensor left = (scene.targets().labels.heat == 0).to(at::kFloat);
    EXPECT_TRUE(at::allclose(heat.select(1, 0), (all_heat * left).select(1, 0)));
    EXPECT_TRUE(at::allclose(wh, all_wh * left.narrow(1, 0, 1)));
    EXPECT_GT((all_wh - wh).abs().max().item<float>(), 0) << "the label took nothing";
  }
}

TEST(FusionOptions, ATeachersLossWeightsMultiplyItsTermsAlone) {
  Scene scene;
  scene.options.box = BoxLoss::kGiou;
  const HeadOutputs student = random_heads(2, 2, 9);
  const Losses one = scene.losses(student);
  scene.teachers[1].loss_weight = {2, 3, 4, 5};
  const Losses many = scene.losses(student);
  const double factors[] = {1, 1, 1, 1, 2, 3, 4, 5};
  ASSERT_EQ(many.terms.size(), 8u);
  for (std::size_t i = 0; i < 8; ++i) {
    const double value = factors[i] * one.terms[i].value.item<double>();
    EXPECT_NEAR(many.terms[i].value.item<double>(), value, 1e-5 * value) << many.terms[i].name;
  }
}

TEST(FusionOptions, AWeightPerChannelCountsInTheWeightedMergeOfItsClass) {
  Scene scene;
  scene.options.merge = Merge::kWeighted;
  BatchTargets targets = make_masks({{{.teachers = {0, 1}}, {}}}, {0, 0}, 2);
  targets.teachers = scene.targets().teachers;
  const HeadOutputs student = random_heads(2, 2, 10);
  const auto total = [&](const TeacherChannels& a, const TeacherChannels& b) {
    return fuse(student, targets, {a, b}, scene.options).total.item<double>();
  };
  TeacherChannels by_channel{"a", {0}, 9.0};
  by_channel.channel_weight = {0.5};
  EXPECT_EQ(total(by_channel, {"b", {0}, 0.25}), total({"a", {0}, 2.0}, {"b", {0}, 1.0}));
  EXPECT_NE(total(by_channel, {"b", {0}, 0.25}), total({"a", {0}, 9.0}, {"b", {0}, 0.25}));
}

// ---- A width and a height per class ---------------------------------------------------------------------------------

TEST(WhPerClass, EachTeacherAndEachLabelReachesItsOwnClassAlone) {
  Scene scene;
  for (const BoxLoss box : {BoxLoss::kL1, BoxLoss::kCiou}) {
    scene.options.box = box;
    scene.options.method = Method::kKdLabels;
    const HeadOutputs student = leaves(random_heads(2, 2, 11, -1, 2));
    const Losses losses = scene.losses(student);
    for (const LossTerm& term : losses.terms) {
      const bool sizes = term.name.ends_with("/wh") || term.name.ends_with("/iou");
      if (!sizes) continue;
      const at::Tensor gradient = torch::autograd::grad({term.value}, {student.wh}, {}, true)[0];
      const int own = term.name.starts_with("white") ? 1 : 0;
      EXPECT_GT(gradient.narrow(1, 2 * own, 2).abs().max().item<float>(), 0) << term.name;
      EXPECT_EQ(gradient.narrow(1, 2 * (1 - own), 2).abs().max().item<float>(), 0) << term.name;
    }
  }
}

TEST(WhPerClass, EqualPairsGiveTheLossOfASharedPair) {
  Scene scene;
  scene.options = everything_on();
  const HeadOutputs shared = random_heads(2, 2, 12);
  const HeadOutputs per_class{shared.heat, shared.wh.repeat({1, 2, 1, 1}), shared.offset};
  EXPECT_NEAR(scene.losses(per_class).total.item<double>(), scene.losses(shared).total.item<double>(), 1e-4);
}

TEST(WhPerClass, ATeacherOfBothClassesTeachesTheOneItSeesMostInACell) {
  const HeadOutputs answer = random_heads(2, 2, 13, 0, 2);
  FusionOptions options;
  options.floor = 0;
  BatchTargets targets = make_masks({{{.teachers = {0}}, {.teachers = {0}}}}, {0, 0}, 1);
  targets.teachers = {sent(answer, options)};
  // Its channels are the student's in another order.
  const at::Tensor swapped = at::tensor({2, 3, 0, 1}, at::kLong);
  const HeadOutputs student = leaves({answer.heat.flip(1), answer.wh.index_select(1, swapped) + 1, answer.offset});
  const Losses losses = fuse(student, targets, {{"both", {1, 0}}}, options);
  const at::Tensor gradient = torch::autograd::grad({losses.terms[1].value}, {student.wh})[0].abs();
  EXPECT_EQ(losses.terms[1].name, "both/wh");
  const at::Tensor first = (student.heat.select(1, 0) >= student.heat.select(1, 1)).to(at::kFloat).detach();
  const at::Tensor taught = box_map(targets.teachers[0]).select(1, 0);
  EXPECT_TRUE(at::equal((gradient.select(1, 0) > 0).to(at::kFloat), first * taught));
  EXPECT_TRUE(at::equal((gradient.select(1, 2) > 0).to(at::kFloat), (1 - first) * taught));
}

TEST(WhPerClass, GradientsOfTheWholeMatchFiniteDifferences) {
  Scene scene;
  scene.options = everything_on();
  const BatchTargets targets = scene.targets();
  const HeadOutputs student = random_heads(2, 2, 14, -1, 2, at::kDouble);
  expect_directional_gradients_match(
      [&](const auto& in) {
        return fuse({in[0], in[1], in[2]}, targets, scene.teachers, scene.options).total;
      },
      {student.heat, student.wh, student.offset});
}

// Its one box in a cell is that of the class it sees most there.
TEST(BoxWeight, IsThatOfTheClassThatTheTeacherSeesMostInACell) {
  const HeadOutputs answer = random_heads(1, 2, 13, 1);
  FusionOptions options;
  options.floor = 0;
  const HeadOutputs student = random_heads(1, 2, 12);
  for (const DistillLoss loss : {DistillLoss::kQfl, DistillLoss::kProbPeaks}) {
    options.loss = loss;
    const DenseTargets said = sent(answer, options);
    const at::Tensor confidence =
        loss == DistillLoss::kQfl ? at::relu(said.heat + std::log(4.0)) : keep_peaks(at::sigmoid(said.heat));
    const at::Tensor sure = confidence.amax(1, true) * box_map(said);
    const auto is_second = [](const at::Tensor& of) { return of.narrow(1, 0, 1) < of.narrow(1, 1, 1); };
    const at::Tensor second = (is_second(said.heat) & is_second(confidence)).to(at::kFloat);
    const auto expect_weight = [&](const BatchTargets& targets, const at::Tensor& weight) {
      const Losses losses = fuse(student, targets, {{"both", {0, 1}}}, options);
      // Over the whole grid, where the loss goes through a list.
      const at::Tensor wh = as_heads(said).wh;
      const at::Tensor error = (student.wh - wh).abs().sum(1, true) / mean_side(wh, 1);
      EXPECT_NEAR(value_of(losses, "both/wh"), mean_error_of_each_class(weight, error, said.heat), 1e-5);
      EXPECT_GT(weight.sum().item<float>(), 0);
    };
    BatchTargets targets = make_masks({{{.teachers = {0}}, {.teachers = {0}}}}, {0}, 1);
    targets.teachers = {said};
    expect_weight(targets, sure);
    targets.teacher_mask[0].select(1, 0).zero_();  // where it sees class 0 most, its box is not for class 1
    expect_weight(targets, sure * second);
  }
}

TEST(WhPerClass, ARecordHoldsTheBoxOfTheStrongestClass) {
  const HeadOutputs answer = random_heads(1, 3, 15, 0, 3);
  const DenseTargets dense = sent(answer, {});
  const at::Tensor box = box_map(dense), wh = as_heads(dense).wh;
  const at::Tensor strongest = answer.heat[0].argmax(0);
  int seen = 0;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      if (box[0][0][y][x].item<float>() == 0) continue;
      ++seen;
      for (int side = 0; side < 2; ++side) {
        const auto expected = answer.wh[0][2 * strongest[y][x].item<int>() + side][y][x].to(at::kHalf).to(at::kFloat);
        EXPECT_EQ(wh[0][side][y][x].item<float>(), expected.item<float>());
      }
    }
  }
  EXPECT_GT(seen, 20);
  EXPECT_TRUE(at::allclose(as_heads(dense_targets(answer)).wh * box, wh, 1e-3, 1e-3));
}

TEST(WhPerClass, HeadsOfAnotherNumberOfPairsAreAnError) {
  Scene scene;
  EXPECT_THROW(scene.losses(random_heads(2, 2, 16, -1, 3)), Error);
}

}  // namespace
}  // namespace conclave
