// Labels that weigh less than one: the scores of soft pseudo labels.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "fusion/fuse.h"

namespace conclave {
namespace {

constexpr int kSide = 8;

std::vector<std::vector<LabelBox>> boxes(float first, float second) {
  return {{{{4, 4, 16, 12}, 0, first}, {{16, 16, 28, 28}, 1, second}}, {{{8, 8, 20, 24}, 0, 1}}};
}

HeadOutputs random_heads() {
  at::manual_seed(4);
  return {at::randn({2, 2, kSide, kSide}, at::kDouble), at::rand({2, 2, kSide, kSide}, at::kDouble) * 4,
          at::rand({2, 2, kSide, kSide}, at::kDouble)};
}

Losses losses_of(const HeadOutputs& heads, const GroundTruth& truth, bool per_class) {
  BatchTargets targets;
  targets.labels = truth;
  targets.label_mask = at::ones({2, 2});
  FusionOptions options;
  options.method = Method::kLabels;
  options.per_class = per_class;
  return fuse(heads, targets, {}, options);
}

// The three terms by loops over cells and objects.
std::vector<double> by_hand(const HeadOutputs& heads, const std::vector<std::vector<LabelBox>>& labels,
                            const GroundTruth& truth, bool per_class) {
  std::vector<double> heat(2), wh(2), offset(2), objects(2);
  for (int b = 0; b < 2; ++b) {
    for (int c = 0; c < 2; ++c) {
      for (int y = 0; y < kSide; ++y) {
        for (int x = 0; x < kSide; ++x) {
          const double p = 1 / (1 + std::exp(-heads.heat[b][c][y][x].item<double>()));
          const double t = truth.heat[b][c][y][x].item<float>();
          if (t < 1) heat[c] -= std::pow(1 - t, 4) * p * p * std::log(1 - p);
        }
      }
    }
    for (const LabelBox& label : labels[static_cast<std::size_t>(b)]) {
      const double w = label.box.width() / 4, h = label.box.height() / 4;
      const double cx = (label.box.x0 + label.box.x1) / 8, cy = (label.box.y0 + label.box.y1) / 8;
      const int x = static_cast<int>(cx), y = static_cast<int>(cy);
      const double p = 1 / (1 + std::exp(-heads.heat[b][label.cls][y][x].item<double>()));
      const auto distance = [&](const at::Tensor& head, double first, double second) {
        return std::abs(head[b][0][y][x].item<double>() - first) + std::abs(head[b][1][y][x].item<double>() - second);
      };
      heat[label.cls] -= label.weight * (1 - p) * (1 - p) * std::log(p);
      wh[label.cls] += label.weight * distance(heads.wh, w, h) / ((w + h) / 2);
      offset[label.cls] += label.weight * distance(heads.offset, cx - x, cy - y);
      objects[label.cls] += 1;
    }
  }
  std::vector<double> sums(3);
  if (!per_class) {
    const double all = objects[0] + objects[1];
    return {(heat[0] + heat[1]) / all, (wh[0] + wh[1]) / (2 * all + 1e-4), (offset[0] + offset[1]) / (2 * all + 1e-4)};
  }
  for (int c = 0; c < 2; ++c) {
    const double divisor = std::max(1.0, objects[c]);
    sums[0] += heat[c] / divisor;
    sums[1] += wh[c] / divisor;
    sums[2] += offset[c] / divisor;
  }
  return sums;
}

TEST(WeightedLabels, WeighAnObjectsFocalAndBoxTerms) {
  const HeadOutputs heads = random_heads();
  const auto labels = boxes(0.375F, 0.75F);
  const GroundTruth truth = make_ground_truth(labels, 2, kSide, kSide, 0.3);
  ASSERT_TRUE(truth.weight.defined());
  for (const bool per_class : {true, false}) {
    const Losses losses = losses_of(heads, truth, per_class);
    const std::vector<double> expected = by_hand(heads, labels, truth, per_class);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(losses.terms[i].value.item<double>(), expected[i], 1e-6) << i;
  }
}

TEST(WeightedLabels, OfOneChangeNothing) {
  const HeadOutputs heads = random_heads();
  const GroundTruth plain = make_ground_truth(boxes(1, 1), 2, kSide, kSide, 0.3);
  EXPECT_FALSE(plain.weight.defined());
  GroundTruth ones = plain;
  ones.weight = at::ones({3});
  for (const bool per_class : {true, false}) {
    const Losses a = losses_of(heads, plain, per_class), b = losses_of(heads, ones, per_class);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(a.terms[i].value.item<double>(), b.terms[i].value.item<double>());
  }
}

TEST(WeightedLabels, TheLargerWeightSpeaksForASharedCentre) {
  const std::vector<std::vector<LabelBox>> shared = {{{{4, 4, 16, 12}, 0, 0.5F}, {{5, 4, 15, 12}, 0, 0.25F}}};
  const GroundTruth truth = make_ground_truth(shared, 1, kSide, kSide, 0.3);
  const at::Tensor heads = at::zeros({1, 1, kSide, kSide});
  BatchTargets targets;
  targets.labels = truth;
  targets.label_mask = at::ones({1, 1});
  FusionOptions options;
  options.method = Method::kLabels;
  const at::Tensor wh = at::zeros({1, 2, kSide, kSide});
  const double both = fuse({heads, wh, wh}, targets, {}, options).terms[0].value.item<double>();
  targets.labels = make_ground_truth({{shared[0][0]}}, 1, kSide, kSide, 0.3);
  targets.labels.heat = truth.heat;
  EXPECT_EQ(both, fuse({heads, wh, wh}, targets, {}, options).terms[0].value.item<double>());
}

}  // namespace
}  // namespace conclave
