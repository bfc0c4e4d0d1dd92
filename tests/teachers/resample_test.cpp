#include "teachers/resample.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/random.h"
#include "fusion/ground_truth.h"
#include "models/decode.h"
#include "teachers/placement.h"

namespace conclave {
namespace {

struct Scene {
  int view_width = 256, view_height = 192;
  int width = 256, height = 192;  // of the network's input
  int stride = 4;
  Fit fit = Fit::kLetterbox;
};

// What a perfect network of this input and stride says about boxes given in pixels of the view.
HeadOutputs perfect_heads(const std::vector<LabelBox>& boxes, int classes, const Scene& scene) {
  const Affine to_input = placement(scene.view_width, scene.view_height, scene.width, scene.height, scene.fit);
  const int h = scene.height / scene.stride, w = scene.width / scene.stride;
  HeadOutputs heads{at::full({1, classes, h, w}, -9.0f), at::zeros({1, 2, h, w}), at::zeros({1, 2, h, w})};
  for (const LabelBox& label : boxes) {
    const Box box = transform(to_input, label.box);
    const float x = (box.x0 + box.x1) / 2 / static_cast<float>(scene.stride);
    const float y = (box.y0 + box.y1) / 2 / static_cast<float>(scene.stride);
    const int column = static_cast<int>(x), row = static_cast<int>(y);
    // Nets know an object around its centre too: a cone of heat, the same size, the offset that they learnt there.
    for (int v = std::max(0, row - 2); v <= std::min(h - 1, row + 2); ++v) {
      for (int u = std::max(0, column - 2); u <= std::min(w - 1, column + 2); ++u) {
        const auto distance = static_cast<float>(std::hypot(u - column, v - row));
        const float logit = 2.0f - 1.5f * distance;
        if (heads.heat[0][label.cls][v][u].item<float>() >= logit) continue;
        heads.heat[0][label.cls][v][u] = logit;
        heads.wh[0][0][v][u] = box.width() / static_cast<float>(scene.stride);
        heads.wh[0][1][v][u] = box.height() / static_cast<float>(scene.stride);
        heads.offset[0][0][v][u] = x - static_cast<float>(column);
        heads.offset[0][1][v][u] = y - static_cast<float>(row);
      }
    }
  }
  return heads;
}

std::vector<Detection> seen_by_student(const HeadOutputs& heads, const Scene& scene) {
  const auto stride = static_cast<double>(scene.stride);
  const NetGrid grid{stride, stride,
                     placement(scene.view_width, scene.view_height, scene.width, scene.height, scene.fit)};
  const HeadOutputs moved = resample(heads, grid, scene.view_height / kStride, scene.view_width / kStride);
  return decode(moved, {100, 0.3f}).front();
}

// Every box is found once, with the score of its peak and within `tolerance` pixels, and nothing else.
void expect_same_boxes(const std::vector<LabelBox>& boxes, const Scene& scene, float tolerance) {
  const std::vector<Detection> found = seen_by_student(perfect_heads(boxes, 2, scene), scene);
  EXPECT_EQ(found.size(), boxes.size());
  for (const LabelBox& label : boxes) {
    int matches = 0;
    for (const Detection& d : found) {
      const Box &a = d.box, &b = label.box;
      matches += d.cls == label.cls && std::abs(a.x0 - b.x0) < tolerance && std::abs(a.y0 - b.y0) < tolerance &&
                 std::abs(a.x1 - b.x1) < tolerance && std::abs(a.y1 - b.y1) < tolerance &&
                 std::abs(d.score - 1 / (1 + std::exp(-2.0f))) < 1e-5f;
    }
    EXPECT_EQ(matches, 1) << "box at " << label.box.x0 << "," << label.box.y0;
  }
}

// Boxes far enough apart that each is a peak of its own at every stride tried; their centres lie anywhere in a cell.
std::vector<LabelBox> spread_boxes(std::uint64_t seed) {
  CounterRandom random(seed);
  std::vector<LabelBox> boxes;
  for (int row = 0; row < 2; ++row) {
    for (int column = 0; column < 3; ++column) {
      const auto part = [&](float least, float most) {
        return least + (most - least) * static_cast<float>(random.below(1000)) / 1000;
      };
      const float x = 40.0f + 85.0f * static_cast<float>(column) + part(-9, 9);
      const float y = 48.0f + 96.0f * static_cast<float>(row) + part(-9, 9);
      const float w = part(8, 60), h = part(8, 60);
      boxes.push_back({{x - w / 2, y - h / 2, x + w / 2, y + h / 2}, static_cast<int>(random.below(2))});
    }
  }
  return boxes;
}

TEST(Resample, KeepsBoxesThroughAnotherInputSizeOrStride) {
  const Scene scenes[] = {
      {256, 192, 512, 384, 4, Fit::kLetterbox},                                            // a finer grid
      {256, 192, 384, 288, 4, Fit::kLetterbox},                                            // 1.5 times as fine
      {256, 192, 128, 96, 4, Fit::kLetterbox},                                             // half as fine
      {256, 192, 256, 192, 8, Fit::kLetterbox},                                            // another stride
      {256, 192, 256, 192, 2, Fit::kLetterbox}, {256, 192, 320, 320, 4, Fit::kLetterbox},  // grey above and below
      {192, 256, 480, 320, 8, Fit::kLetterbox},                                            // grey at the sides
      {256, 192, 300, 300, 4, Fit::kStretch},                                              // another aspect
      {256, 192, 200, 304, 8, Fit::kStretch},
  };
  for (const Scene& scene : scenes) {
    SCOPED_TRACE(std::to_string(scene.width) + " x " + std::to_string(scene.height) + " / " +
                 std::to_string(scene.stride));
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      std::vector<LabelBox> boxes = spread_boxes(seed);
      if (scene.view_width < scene.view_height) {
        for (LabelBox& label : boxes) label.box = {label.box.y0, label.box.x0, label.box.y1, label.box.x1};
      }
      expect_same_boxes(boxes, scene, 0.02f);
    }
  }
}

TEST(Resample, LeavesHeadsOfTheSameGridAlone) {
  const Scene scene;
  const HeadOutputs heads = perfect_heads(spread_boxes(3), 2, scene);
  const HeadOutputs moved = resample(heads, {4, 4, {}}, 48, 64);
  EXPECT_TRUE(at::allclose(moved.heat, heads.heat, 1e-4, 1e-4));
  EXPECT_TRUE(at::equal(moved.wh, heads.wh));
  EXPECT_TRUE(at::allclose(moved.offset, heads.offset, 0, 1e-5));
}

TEST(Resample, MakesNoNewPeaksOfAWideHill) {
  HeadOutputs heads{at::empty({1, 1, 24, 32}), at::full({1, 2, 24, 32}, 9.0f), at::full({1, 2, 24, 32}, 0.7f)};
  for (int y = 0; y < 24; ++y) {
    for (int x = 0; x < 32; ++x)
      heads.heat[0][0][y][x] = 2.0f - 0.02f * static_cast<float>((x - 15) * (x - 15) + (y - 11) * (y - 11));
  }
  for (const double scale : {0.4, 0.5, 1.0, 1.7}) {
    const NetGrid grid{4, 4, {scale, 0, 0, 0, scale, 0}};
    const HeadOutputs moved = resample(heads, grid, static_cast<int>(24 / scale), static_cast<int>(32 / scale));
    EXPECT_EQ(decode(moved, {100, 0.05f}).front().size(), 1u) << scale;
  }
}

TEST(Resample, OfPeaksThatFallOnOneCellTheStrongestCounts) {
  HeadOutputs heads{at::full({1, 1, 32, 32}, -9.0f), at::zeros({1, 2, 32, 32}), at::full({1, 2, 32, 32}, 0.5f)};
  heads.heat[0][0][8][8] = 1.0f;
  heads.heat[0][0][8][10] = 2.0f;  // a quarter of the resolution: both in cell (2, 2)
  heads.wh[0][0][8][10] = 12.0f;
  heads.wh[0][1][8][10] = 8.0f;
  const HeadOutputs moved = resample(heads, {1, 1, {}}, 8, 8);
  EXPECT_FLOAT_EQ(moved.heat[0][0][2][2].item<float>(), 2.0f);
  EXPECT_FLOAT_EQ(moved.wh[0][0][2][2].item<float>(), 3.0f);
  EXPECT_FLOAT_EQ(moved.wh[0][1][2][2].item<float>(), 2.0f);
  EXPECT_FLOAT_EQ(moved.offset[0][0][2][2].item<float>(), 10.5f / 4 - 2);
}

TEST(Placement, LetterboxesInTheMiddleAndStretchesToTheEdges) {
  const Affine boxed = placement(200, 100, 400, 400, Fit::kLetterbox);
  EXPECT_DOUBLE_EQ(boxed.a, 2);
  EXPECT_DOUBLE_EQ(boxed.e, 2);
  EXPECT_DOUBLE_EQ(boxed.c, 0);
  EXPECT_DOUBLE_EQ(boxed.f, 100);
  const Affine stretched = placement(200, 100, 400, 400, Fit::kStretch);
  EXPECT_DOUBLE_EQ(stretched.a, 2);
  EXPECT_DOUBLE_EQ(stretched.e, 4);
  EXPECT_DOUBLE_EQ(stretched.f, 0);
}

TEST(Placement, PutsPixelsWhereItSays) {
  std::vector<std::uint8_t> view(40 * 20 * 3, 10), input(80 * 80 * 3, 0);
  for (int c = 0; c < 3; ++c) view[static_cast<std::size_t>((5 * 40 + 30) * 3 + c)] = 250;
  place({view.data(), 40, 20}, {input.data(), 80, 80}, Fit::kLetterbox, 114);
  const auto at = [&](int x, int y) { return input[static_cast<std::size_t>((y * 80 + x) * 3)]; };
  EXPECT_EQ(at(0, 0), 114);  // above
  EXPECT_EQ(at(0, 19), 114);
  EXPECT_EQ(at(0, 20), 10);  // the view begins at row 20 and is twice as large
  EXPECT_GT(at(60, 30), 120);
  EXPECT_GT(at(61, 31), 120);
  EXPECT_EQ(at(64, 30), 10);
  EXPECT_EQ(at(0, 60), 114);
}

}  // namespace
}  // namespace conclave
