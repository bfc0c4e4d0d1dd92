#include "fusion/ground_truth.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "core/error.h"
#include "support/golden_tensors.h"

namespace conclave {
namespace {

std::vector<std::vector<LabelBox>> boxes_of(const GoldenTensors& golden) {
  std::vector<std::vector<LabelBox>> images;
  for (int i = 0; i < 3; ++i) {
    const at::Tensor boxes = golden["boxes" + std::to_string(i)], classes = golden["classes" + std::to_string(i)];
    auto& image = images.emplace_back();
    for (std::int64_t n = 0; n < boxes.size(0); ++n) {
      const float* b = boxes.const_data_ptr<float>() + 4 * n;
      image.push_back({{b[0], b[1], b[2], b[3]}, static_cast<int>(classes[n].item<std::int64_t>())});
    }
  }
  return images;
}

TEST(GroundTruth, MatchesTheReference) {
  const GoldenTensors golden("gt_basic_mo07");
  const GroundTruth truth = make_ground_truth(boxes_of(golden), 2, 16, 24, golden.scalar("min_overlap"));
  EXPECT_LT(largest_difference(truth.heat, golden["score_map"]), 1e-5);

  const at::Tensor mask = golden["reg_mask"], index = golden["index"], wh = golden["wh"], offset = golden["reg"];
  std::int64_t n = 0;
  for (std::int64_t b = 0; b < 3; ++b) {
    for (std::int64_t k = 0; k < mask.size(1) && mask[b][k].item<float>() > 0; ++k, ++n) {
      ASSERT_LT(n, truth.index.size(0));
      EXPECT_EQ(truth.index[n].item<std::int64_t>(), b * 16 * 24 + index[b][k].item<float>());
      EXPECT_LT(largest_difference(truth.wh[n], wh[b][k]), 1e-5);
      EXPECT_LT(largest_difference(truth.offset[n], offset[b][k]), 1e-5);
    }
  }
  EXPECT_EQ(n, 5);
  EXPECT_EQ(truth.index.size(0), 5);
}

TEST(GroundTruth, RadiusMatchesTheReferenceTable) {
  const GoldenTensors golden("gt_radius_table");
  const at::Tensor box = golden.f64("box"), overlaps = golden["overlaps"], radius = golden.f64("radius");
  for (std::int64_t o = 0; o < overlaps.size(0); ++o) {
    for (std::int64_t i = 0; i < box.size(0); ++i) {
      const double expected = radius[o][i].item<double>();
      const double found =
          gaussian_radius(box[i][0].item<double>(), box[i][1].item<double>(), overlaps[o].item<double>());
      // The reference is computed in float32 and subtracts nearly equal numbers.
      EXPECT_NEAR(found, expected, 1e-5 * std::max(1.0, box[i].sum().item<double>())) << o << " " << i;
    }
  }
}

TEST(GroundTruth, GaussianHasTheReferencesShape) {
  const GoldenTensors golden("gt_radius_table");
  // A square box of side s has the radius that its side gives; pick the sides whose truncated radius is wanted.
  for (const int wanted : {0, 1, 2, 3, 7, 20}) {
    double side = 0.5;
    while (static_cast<int>(gaussian_radius(side, side, 0.3)) < wanted) side += 0.25;
    const auto pixels = static_cast<float>(side * 4);
    const float centre = 4 * 50.5f;
    const GroundTruth truth =
        make_ground_truth({{{{centre - pixels / 2, centre - pixels / 2, centre + pixels / 2, centre + pixels / 2}, 0}}},
                          1, 101, 101, 0.3);
    const at::Tensor patch =
        truth.heat[0][0].narrow(0, 50 - wanted, 2 * wanted + 1).narrow(1, 50 - wanted, 2 * wanted + 1);
    EXPECT_LT(largest_difference(patch, golden["gauss_r" + std::to_string(wanted)]), 1e-5);
    EXPECT_NEAR(truth.heat.sum().item<double>(), patch.sum().item<double>(), 1e-4) << "nothing outside the radius";
  }
}

TEST(GroundTruth, KeepsMoreObjectsThanTheReferencesLimitOf128) {
  std::vector<LabelBox> boxes;
  for (int i = 0; i < 400; ++i) {
    const auto x = static_cast<float>(4 * (i % 20)), y = static_cast<float>(4 * (i / 20));
    boxes.push_back({{x, y, x + 4, y + 4}, 0});
  }
  const GroundTruth truth = make_ground_truth({boxes}, 1, 20, 20, 0.7);
  EXPECT_EQ(truth.index.size(0), 400);
  EXPECT_EQ(truth.heat.eq(1).sum().item<int>(), 400);
}

TEST(GroundTruth, LeavesOutBoxesThatAreEmptyOutsideOrNotANumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const GroundTruth truth = make_ground_truth(
      {{{{1, 1, 1, 5}, 0}, {{-20, 0, -10, 5}, 0}, {{60, 0, 90, 5}, 0}, {{nan, 0, 5, 5}, 0}}}, 1, 16, 16, 0.7);
  EXPECT_EQ(truth.index.size(0), 0);
  EXPECT_EQ(truth.wh.sizes(), (at::IntArrayRef{0, 2}));
  EXPECT_EQ(truth.heat.sum().item<float>(), 0);
}

TEST(GroundTruth, RefusesAClassThatDoesNotExist) {
  EXPECT_THROW(make_ground_truth({{{{0, 0, 8, 8}, 3}}}, 2, 16, 16, 0.7), Error);
}

TEST(GroundTruth, TakesTheLargerOfOverlappingGaussiansAndKeepsBothCentresAtOne) {
  const GroundTruth truth = make_ground_truth({{{{0, 0, 40, 40}, 0}, {{8, 0, 48, 40}, 0}}}, 1, 16, 16, 0.3);
  EXPECT_EQ(truth.heat.eq(1).sum().item<int>(), 2);
  EXPECT_LE(truth.heat.max().item<float>(), 1);
}

}  // namespace
}  // namespace conclave
