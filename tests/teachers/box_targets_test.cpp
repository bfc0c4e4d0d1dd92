#include "teachers/box_targets.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "datasets/box_fusion.h"
#include "fusion/ground_truth.h"
#include "models/decode.h"

namespace conclave {
namespace {

TEST(RenderBoxes, AreFoundAgainByDecoding) {
  const std::vector<Detection> given = {
      {{10, 10, 50, 70}, 0, 0.9f}, {{80.5f, 20.25f, 101, 44}, 1, 0.4f}, {{12, 90, 14, 93}, 0, 0.2f}};
  const auto found = decode(render_boxes(given, 2, 32, 40, 0.7), {10, 0.1f}).front();
  ASSERT_EQ(found.size(), given.size());
  for (std::size_t i = 0; i < given.size(); ++i) {
    EXPECT_EQ(found[i].cls, given[i].cls);
    EXPECT_NEAR(found[i].score, given[i].score, 1e-5);
    EXPECT_NEAR(found[i].box.x0, given[i].box.x0, 1e-4);
    EXPECT_NEAR(found[i].box.y0, given[i].box.y0, 1e-4);
    EXPECT_NEAR(found[i].box.x1, given[i].box.x1, 1e-4);
    EXPECT_NEAR(found[i].box.y1, given[i].box.y1, 1e-4);
  }
}

TEST(RenderBoxes, WithAFullScoreGiveTheHeatOfALabel) {
  const Box box{30, 20, 120, 90};
  const at::Tensor heat = render_boxes({{box, 0, 1.0f}}, 1, 32, 40, 0.7).heat.sigmoid();
  const GroundTruth truth = make_ground_truth({{{box, 0}}}, 1, 32, 40, 0.7);
  EXPECT_TRUE(at::allclose(heat, truth.heat, 0, 2e-4));
}

TEST(RenderBoxes, CarryTheirSizeOverTheirWholeGaussian) {
  const HeadOutputs heads = render_boxes({{{20, 20, 100, 100}, 0, 0.8f}}, 1, 32, 32, 0.5);
  const at::Tensor inside = heads.heat[0][0] > -6;
  ASSERT_GT(inside.sum().item<int>(), 20);
  EXPECT_TRUE((heads.wh[0][0].masked_select(inside) == 20).all().item<bool>());
  EXPECT_GE(heads.offset.min().item<float>(), 0);
  EXPECT_LE(heads.offset.max().item<float>(), 1);
}

TEST(RenderBoxes, KeepTheSizeOfAWeakBoxUnderAStrongOneOfAnotherClass) {
  const HeadOutputs heads = render_boxes({{{20, 20, 100, 100}, 0, 0.9f}, {{58, 58, 70, 70}, 1, 0.3f}}, 2, 32, 32, 0.5);
  const auto found = decode(heads, {10, 0.2f}).front();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_NEAR(found[1].box.width(), 12, 1e-4);
}

TEST(RenderBoxes, OutsideOrEmptyLeaveNothing) {
  const HeadOutputs heads =
      render_boxes({{{-50, 0, -10, 20}, 0, 0.9f}, {{5, 5, 5, 9}, 0, 0.9f}, {{NAN, 0, 4, 4}, 0, 0.9f}}, 1, 8, 8, 0.7);
  EXPECT_LT(heads.heat.max().item<float>(), -13);
}

TEST(Suppress, KeepsTheBestOfOverlappingBoxesOfOneClass) {
  const std::vector<Detection> given = {
      {{0, 0, 10, 10}, 0, 0.5f}, {{1, 0, 11, 10}, 0, 0.9f}, {{0, 0, 10, 10}, 1, 0.3f}, {{30, 0, 40, 10}, 0, 0.2f}};
  const auto kept = suppress(given, 0.6);
  ASSERT_EQ(kept.size(), 3u);
  EXPECT_FLOAT_EQ(kept[0].score, 0.9f);
  EXPECT_FLOAT_EQ(kept[1].score, 0.3f);
  EXPECT_FLOAT_EQ(kept[2].score, 0.2f);
  EXPECT_EQ(suppress(given, 1).size(), 4u);
}

}  // namespace
}  // namespace conclave
