#include "datasets/box_fusion.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace conclave {
namespace {

using nlohmann::json;

std::vector<Detection> boxes_of(const json& rows) {
  std::vector<Detection> boxes;
  for (const json& row : rows) {
    const auto number = [&](std::size_t i) { return row.at(i).get<float>(); };
    boxes.push_back({{number(0), number(1), number(2), number(3)}, 0, number(4)});
  }
  return boxes;
}

TEST(BoxFusion, EqualsTheAuthorsPackage) {
  std::ifstream file(std::string(CONCLAVE_SOURCE_DIR) + "/tests/golden/box_fusion.json");
  const json cases = json::parse(file);
  std::size_t fused_boxes = 0;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE("case " + std::to_string(i));
    std::vector<std::vector<Detection>> models;
    for (const json& rows : cases[i]["models"]) models.push_back(boxes_of(rows));
    const auto fused = fuse_boxes(models, cases[i]["weights"].get<std::vector<double>>());
    const auto expected = boxes_of(cases[i]["fused"]);
    ASSERT_EQ(fused.size(), expected.size());
    for (std::size_t b = 0; b < fused.size(); ++b, ++fused_boxes) {
      EXPECT_NEAR(fused[b].score, expected[b].score, 1e-6);
      EXPECT_NEAR(fused[b].box.x0, expected[b].box.x0, 1e-6);
      EXPECT_NEAR(fused[b].box.y0, expected[b].box.y0, 1e-6);
      EXPECT_NEAR(fused[b].box.x1, expected[b].box.x1, 1e-6);
      EXPECT_NEAR(fused[b].box.y1, expected[b].box.y1, 1e-6);
    }
  }
  EXPECT_GT(fused_boxes, 100u);
}

TEST(BoxFusion, HalvesTheScoreOfWhatOneOfTwoModelsSees) {
  const std::vector<Detection> both = {{{0, 0, 10, 10}, 3, 0.8F}}, one = {{{40, 40, 60, 60}, 3, 0.8F}};
  const auto fused = fuse_boxes({{both[0], one[0]}, both}, {1, 1});
  ASSERT_EQ(fused.size(), 2u);
  EXPECT_EQ(fused[0].cls, 3);
  EXPECT_FLOAT_EQ(fused[0].score, 0.8F);
  EXPECT_FLOAT_EQ(fused[1].score, 0.4F);
}

TEST(BoxFusion, RefusesWeightsThatSayNothing) {
  EXPECT_THROW(fuse_boxes({{}, {}}, {1}), Error);
  EXPECT_THROW(fuse_boxes({{}, {}}, {0, 0}), Error);
  EXPECT_THROW(fuse_boxes({{}, {}}, {1, -1}), Error);
  EXPECT_TRUE(fuse_boxes({{}, {}}, {1, 1}).empty());
}

TEST(BoxFusion, SuppressKeepsTheBestOfOverlappingBoxes) {
  const auto kept = suppress({{{0, 0, 10, 10}, 0, 0.5F}, {{0, 0, 10, 9}, 0, 0.7F}, {{0, 0, 10, 5}, 0, 0.4F}});
  ASSERT_EQ(kept.size(), 1u) << "0.5 and 0.4 overlap the best by 0.9 and 0.56";
  EXPECT_EQ(kept[0].score, 0.7F);
  EXPECT_EQ(kept[0].box.y1, 9);
  EXPECT_EQ(suppress({{{0, 0, 10, 10}, 0, 0.5F}, {{0, 0, 10, 4}, 0, 0.7F}}).size(), 2u) << "an IoU of 0.4";
}

}  // namespace
}  // namespace conclave
