#include "models/decode.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <limits>

#include "core/error.h"
#include "model_files.h"

namespace conclave {
namespace {

// Heads of one image whose heat is the probability p (C,H,W), with no offset and boxes of 2x1 cells.
HeadOutputs heads_of(const at::Tensor& p) {
  const at::Tensor wh = at::ones({1, 2, p.size(1), p.size(2)});
  wh.select(1, 0).fill_(2);
  return {p.logit().unsqueeze(0), wh, at::zeros_like(wh)};
}

TEST(Decode, MatchesTheOriginal) {
  const TensorMap oracle = golden_tensors("decode_k100.safetensors");
  const at::Tensor heat = oracle.at("fmap");
  EXPECT_TRUE(at::equal(keep_peaks(heat), oracle.at("nms_fmap")));

  const auto images = decode({heat.to(at::kDouble).logit().to(at::kFloat), oracle.at("wh"), oracle.at("reg")}, {});
  ASSERT_EQ(images.size(), 2u);
  for (int image = 0; image < 2; ++image) {
    const at::Tensor scores = oracle.at("topk_score")[image];
    const auto found = (scores > 0).sum().item<std::int64_t>();
    ASSERT_EQ(static_cast<std::int64_t>(images[image].size()), found);
    for (int i = 0; i < found; ++i) {
      const Detection& detection = images[image][i];
      const at::Tensor box = oracle.at("bboxes")[image][i] * kStride;
      EXPECT_NEAR(detection.score, scores[i].item<float>(), 1e-5);
      EXPECT_EQ(detection.cls, oracle.at("topk_class")[image][i].item<int>());
      EXPECT_NEAR(detection.box.x0, box[0].item<float>(), 1e-5 * kStride);
      EXPECT_NEAR(detection.box.y0, box[1].item<float>(), 1e-5 * kStride);
      EXPECT_NEAR(detection.box.x1, box[2].item<float>(), 1e-5 * kStride);
      EXPECT_NEAR(detection.box.y1, box[3].item<float>(), 1e-5 * kStride);
    }
  }
}

TEST(Decode, KeepsTheValuesThatA3x3MaxPoolLeavesAsTheyAre) {
  torch::manual_seed(4);
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 7}, {6, 1}, {9, 13}}) {
    const at::Tensor heat = (torch::rand({2, 3, height, width}) * 6).round() / 6;  // with ties
    const at::Tensor pooled = at::max_pool2d(heat, 3, 1, 1);
    EXPECT_TRUE(at::equal(keep_peaks(heat), heat * (pooled == heat)));
  }
}

TEST(Decode, EachClassHasItsOwnSizeWhereHeadsHaveAPairPerClass) {
  at::Tensor p = at::full({2, 6, 6}, 0.01);
  p[0][2][2] = 0.9;
  p[1][2][2] = 0.8;  // the centres collide
  HeadOutputs heads = heads_of(p);
  heads.wh = at::tensor({2.f, 1.f, 4.f, 3.f}).view({1, 4, 1, 1}).expand({1, 4, 6, 6});
  const auto found = decode(heads, {.threshold = 0.5f})[0];
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].cls, 0);
  EXPECT_FLOAT_EQ(found[0].box.width(), 2 * kStride);
  EXPECT_FLOAT_EQ(found[0].box.height(), 1 * kStride);
  EXPECT_EQ(found[1].cls, 1);
  EXPECT_FLOAT_EQ(found[1].box.width(), 4 * kStride);
  EXPECT_FLOAT_EQ(found[1].box.height(), 3 * kStride);
}

TEST(Decode, KeepsTheLargerOfTwoNeighbouringPeaks) {
  at::Tensor p = at::full({1, 4, 6}, 0.1);
  p[0][1][2] = 0.8;
  p[0][2][3] = 0.7;
  const auto found = decode(heads_of(p), {.threshold = 0.5f})[0];
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NEAR(found[0].score, 0.8, 1e-6);
  EXPECT_FLOAT_EQ(found[0].box.x0, 4);
  EXPECT_FLOAT_EQ(found[0].box.x1, 12);
  EXPECT_FLOAT_EQ(found[0].box.y0, 2);
  EXPECT_FLOAT_EQ(found[0].box.y1, 6);
}

TEST(Decode, OrdersEqualScoresByClassThenRowThenColumn) {
  at::Tensor p = at::full({2, 8, 8}, 0.01);
  for (const auto& [c, y, x] : {std::tuple{1, 1, 1}, {0, 6, 2}, {0, 2, 6}, {0, 2, 2}}) p[c][y][x] = 0.5;
  p[1][5][5] = 0.6;
  const auto found = decode(heads_of(p), {.top_k = 4})[0];
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0].cls, 1);
  std::vector<std::pair<float, float>> centres;
  for (const Detection& d : found)
    centres.emplace_back((d.box.x0 + d.box.x1) / 2 / kStride, (d.box.y0 + d.box.y1) / 2 / kStride);
  EXPECT_EQ(centres, (std::vector<std::pair<float, float>>{{5, 5}, {2, 2}, {6, 2}, {2, 6}}));
}

TEST(Decode, KeepsBothOfTwoEqualNeighbours) {
  at::Tensor p = at::full({1, 3, 4}, 0.1);
  p[0][1][1] = p[0][1][2] = 0.5;
  EXPECT_EQ(decode(heads_of(p), {.threshold = 0.4f})[0].size(), 2u);
}

TEST(Decode, LeavesOutLowScoresAndKeepsAtMostTopK) {
  at::Tensor p = at::full({1, 12, 12}, 0.01);
  for (int i = 0; i < 4; ++i) p[0][3 * i][3 * i] = 0.2 * (i + 1);
  EXPECT_EQ(decode(heads_of(p), {.threshold = 0.3f})[0].size(), 3u);
  EXPECT_EQ(decode(heads_of(p), {.top_k = 2, .threshold = 0.3f})[0].size(), 2u);
  EXPECT_TRUE(decode(heads_of(p), {.top_k = 0})[0].empty());
}

TEST(Decode, ReadsHalfPrecisionAndChannelsLast) {
  at::Tensor p = at::full({2, 6, 8}, 0.02);
  p[1][4][3] = 0.75;
  HeadOutputs heads = heads_of(p);
  for (at::Tensor* t : {&heads.heat, &heads.wh, &heads.offset}) {
    *t = t->to(at::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast);
  }
  const auto found = decode(heads, {.threshold = 0.5f})[0];
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].cls, 1);
  EXPECT_FLOAT_EQ((found[0].box.y0 + found[0].box.y1) / 2, 16);
}

TEST(Decode, NeverGivesAnInvertedBoxOrANanScore) {
  at::Tensor p = at::full({1, 6, 6}, 0.02);
  p[0][2][2] = 0.9;
  HeadOutputs heads = heads_of(p);
  heads.wh.fill_(-3);
  heads.heat[0][0][5][5] = std::numeric_limits<float>::quiet_NaN();
  const auto found = decode(heads, {})[0];
  EXPECT_FALSE(found.empty());
  for (const Detection& d : found) {
    EXPECT_LE(d.box.x0, d.box.x1);
    EXPECT_LE(d.box.y0, d.box.y1);
    EXPECT_GT(d.score, 0);
  }
}

TEST(Decode, RefusesHeadsThatDoNotBelongTogether) {
  const HeadOutputs good = heads_of(at::full({1, 6, 6}, 0.02));
  HeadOutputs heads = good;
  heads.wh = good.wh.narrow(2, 0, 5);
  EXPECT_THROW(decode(heads, {}), Error);
  heads = good;
  heads.offset = good.offset.narrow(1, 0, 1);
  EXPECT_THROW(decode(heads, {}), Error);
  heads = good;
  heads.wh = at::cat({good.wh, good.wh, good.wh}, 1);
  EXPECT_THROW(decode(heads, {}), Error);
}

}  // namespace
}  // namespace conclave
