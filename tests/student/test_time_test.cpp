#include "student/test_time.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "student/detect.h"

namespace conclave {
namespace {

constexpr int kSide = 64, kCells = kSide / kStride;

// A network that sees one object: heat where the picture is white, strongest there; wh and offset as told per column.
// Its answer moves with the picture as a convolution's does.
HeadOutputs heads_of_white(const at::Tensor& pixels, float logit) {
  const at::Tensor white = at::avg_pool2d(pixels.select(3, 0).to(at::kFloat).unsqueeze(1), kStride) / 255;
  const std::int64_t batch = pixels.size(0), height = white.size(2), width = white.size(3);
  HeadOutputs heads;
  heads.heat = white * (logit + 8) - 8;
  heads.wh = at::full({batch, 2, height, width}, 4.0F);
  heads.offset = at::full({batch, 2, height, width}, 0.25F);
  return heads;
}

// White in one cell.
View view_with_object(int cell_x, int cell_y, int side = kSide) {
  View view;
  view.width = view.height = side;
  view.pixels.assign(static_cast<std::size_t>(side) * side * 3, 0);
  for (int y = 0; y < kStride; ++y) {
    for (int x = 0; x < 3 * kStride; ++x) {
      view.pixels[static_cast<std::size_t>((cell_y * kStride + y) * side * 3 + cell_x * kStride * 3 + x)] = 255;
    }
  }
  return view;
}

TEST(TestTime, HeatAndSizesAreAveragedTheOffsetIsNot) {
  HeadOutputs plain{at::randn({2, 3, 4, 6}), at::rand({2, 2, 4, 6}), at::rand({2, 2, 4, 6})};
  const HeadOutputs mirrored{at::randn({2, 3, 4, 6}), at::rand({2, 2, 4, 6}), at::rand({2, 2, 4, 6})};
  const HeadOutputs both = average_with_mirrored(plain, mirrored);
  const int y = 2, x = 1, x_mirrored = 6 - 1 - x;
  for (int b = 0; b < 2; ++b) {
    for (int c = 0; c < 3; ++c) {
      const double p = plain.heat[b][c][y][x].sigmoid().item<double>();
      const double q = mirrored.heat[b][c][y][x_mirrored].sigmoid().item<double>();
      EXPECT_NEAR(both.heat[b][c][y][x].sigmoid().item<double>(), (p + q) / 2, 1e-6);
    }
    for (int c = 0; c < 2; ++c) {
      EXPECT_NEAR(both.wh[b][c][y][x].item<double>(),
                  (plain.wh[b][c][y][x].item<double>() + mirrored.wh[b][c][y][x_mirrored].item<double>()) / 2, 1e-6);
    }
  }
  EXPECT_TRUE(at::equal(both.offset, plain.offset));
}

TEST(TestTime, TheMirrorImageIsWhatTheNetworkSeesTheSecondTime) {
  std::vector<at::Tensor> seen;
  const RunNetwork network = [&](const at::Tensor& pixels) {
    seen.push_back(pixels);
    HeadOutputs heads = heads_of_white(pixels, 2);
    if (seen.size() == 2) {  // the mirrored pass: surer, larger, and with an offset that must not count
      heads.heat = heads_of_white(pixels, 4).heat;
      heads.wh = heads.wh * 2;
      heads.offset = heads.offset + 0.5F;
    }
    return NetworkAnswer{heads, std::nullopt};
  };
  TestTime test_time;
  test_time.flip = true;
  const auto found = detect(network, {{kSide, kSide, {view_with_object(3, 5)}}}, test_time, {100, 0.5F});
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_TRUE(at::equal(seen[1], seen[0].flip(2)));
  ASSERT_EQ(found[0].size(), 1u);
  const Detection& object = found[0][0];
  EXPECT_NEAR(object.score, (1 / (1 + std::exp(-2.0)) + 1 / (1 + std::exp(-4.0))) / 2, 1e-5);
  EXPECT_NEAR((object.box.x0 + object.box.x1) / 2, (3 + 0.25) * kStride, 1e-3);
  EXPECT_NEAR((object.box.y0 + object.box.y1) / 2, (5 + 0.25) * kStride, 1e-3);
  EXPECT_NEAR(object.box.width(), 1.5 * 4 * kStride, 1e-3);
}

TEST(TestTime, ScalesGiveOneBoxPerObjectInPixelsOfTheImage) {
  // The second look shows the image at twice the size: its boxes are half as large in the image.
  Sight sight{kSide, kSide, {view_with_object(3, 5), view_with_object(6, 10, 2 * kSide)}};
  sight.looks[1].image_to_view.a = sight.looks[1].image_to_view.e = 2;
  const RunNetwork network = [](const at::Tensor& pixels) {
    HeadOutputs heads = heads_of_white(pixels, 2);
    heads.offset.zero_();
    if (pixels.size(1) == 2 * kSide) {
      heads.wh.fill_(8.0F);
      heads.heat = heads_of_white(pixels, 0).heat;
    }
    return NetworkAnswer{heads, std::nullopt};
  };
  TestTime test_time;
  test_time.scales = {1, 2};
  const double strong = 1 / (1 + std::exp(-2.0));
  const auto fused = detect(network, {sight}, test_time, {100, 0.1F});
  ASSERT_EQ(fused[0].size(), 1u);
  EXPECT_NEAR(fused[0][0].score, (strong + 0.5) / 2, 1e-5);
  EXPECT_NEAR(fused[0][0].box.x0, 3 * kStride - 8, 1e-3);
  EXPECT_NEAR(fused[0][0].box.width(), 4 * kStride, 1e-3);
  test_time.merge.how = BoxMerge::kNms;
  const auto strongest = detect(network, {sight}, test_time, {100, 0.1F});
  ASSERT_EQ(strongest[0].size(), 1u);
  EXPECT_NEAR(strongest[0][0].score, strong, 1e-5);
}

TEST(TestTime, BoxesOfTheMirrorImageAreMirroredBackAndMerged) {
  int call = 0;
  const RunNetwork network = [&](const at::Tensor&) {
    const Box box = call++ == 0 ? Box{8, 8, 28, 28} : Box{kSide - 30, 8, kSide - 10, 28};  // there: 10 to 30
    return NetworkAnswer{{}, {{{{box, 0, 0.6F}}}}};
  };
  TestTime test_time;
  test_time.flip = true;
  const auto found = detect(network, {{kSide, kSide, {view_with_object(3, 5)}}}, test_time, {100, 0.1F});
  ASSERT_EQ(found[0].size(), 1u);
  EXPECT_NEAR(found[0][0].box.x0, 9, 1e-4);
  EXPECT_NEAR(found[0][0].box.x1, 29, 1e-4);
}

TEST(TestTime, AThresholdIsForTheMergedScore) {
  Sight sight{kSide, kSide, {view_with_object(3, 5), view_with_object(3, 5)}};
  int call = 0;
  const RunNetwork network = [&](const at::Tensor& pixels) {
    return NetworkAnswer{heads_of_white(pixels, call++ % 2 == 0 ? 2.0F : -2.0F), std::nullopt};  // 0.88 and 0.12
  };
  TestTime test_time;
  test_time.scales = {1, 1.5};
  const auto found = detect(network, {sight}, test_time, {100, 0.4F});
  ASSERT_EQ(found[0].size(), 1u);  // the mean of both is 0.5; 0.88 / 2 alone would be 0.44
  EXPECT_NEAR(found[0][0].score, 0.5, 1e-3);
}

TEST(TestTime, ScaledViewsHaveSidesThatTheNetworkTakes) {
  ViewOptions views;
  views.width = 256;
  views.height = 192;
  EXPECT_EQ(at_scale(views, 1).width, 256);
  EXPECT_EQ(at_scale(views, 0.75).width, 192);
  EXPECT_EQ(at_scale(views, 0.75).height, 160);  // 144 is no multiple of 32
  EXPECT_EQ(at_scale(views, 0.1).height, 32);
}

TEST(TestTime, UselessScalesAreRefused) {
  ViewOptions views;
  views.width = views.height = 128;
  const auto with = [&](std::vector<double> scales) {
    TestTime test_time;
    test_time.scales = std::move(scales);
    check_test_time(test_time, views);
  };
  EXPECT_NO_THROW(with({0.75, 1, 1.25}));
  EXPECT_THROW(with({}), Error);
  EXPECT_THROW(with({0}), Error);
  EXPECT_THROW(with({-1, 1}), Error);
  EXPECT_THROW(with({1, 100}), Error);
  EXPECT_THROW(with({1, 1.01}), Error);  // the same 128x128 again
}

}  // namespace
}  // namespace conclave
