#include "core/geometry.h"

#include <gtest/gtest.h>

#include <utility>

namespace conclave {
namespace {

void expect_box(const Box& box, float x0, float y0, float x1, float y1) {
  EXPECT_FLOAT_EQ(box.x0, x0);
  EXPECT_FLOAT_EQ(box.y0, y0);
  EXPECT_FLOAT_EQ(box.x1, x1);
  EXPECT_FLOAT_EQ(box.y1, y1);
}

TEST(Iou, IsTheSharedPartOfTheUnion) {
  EXPECT_DOUBLE_EQ(iou({0, 0, 2, 2}, {1, 1, 3, 3}), 1.0 / 7);
  EXPECT_DOUBLE_EQ(iou({0, 0, 4, 4}, {1, 1, 3, 3}), 4.0 / 16);
  EXPECT_DOUBLE_EQ(iou({0, 0, 2, 2}, {0, 0, 2, 2}), 1);
}

TEST(Iou, IsZeroForBoxesThatOnlyTouchAreApartOrEmpty) {
  EXPECT_EQ(iou({0, 0, 1, 1}, {1, 0, 2, 1}), 0);
  EXPECT_EQ(iou({0, 0, 1, 1}, {5, 5, 6, 6}), 0);  // apart in both directions: no product of two negative sides
  EXPECT_EQ(iou({1, 1, 1, 1}, {1, 1, 1, 1}), 0);
}

TEST(Clip, KeepsThePartInside) {
  expect_box(clip({-1, 2, 12, 30}, 10, 20), 0, 2, 10, 20);
  expect_box(clip({11, -5, 12, -1}, 10, 20), 10, 0, 10, 0);
  expect_box(clip({1, 2, 3, 4}, 10, 20), 1, 2, 3, 4);
}

TEST(Affine, InverseUndoesIt) {
  const Affine m{2, 0.5, -7, -0.25, 3, 11}, back = m.inverse();
  for (const auto& [x, y] : {std::pair(0.0, 0.0), std::pair(3.0, -4.0), std::pair(100.0, 1.0)}) {
    const double u = m.a * x + m.b * y + m.c, v = m.d * x + m.e * y + m.f;
    EXPECT_NEAR(back.a * u + back.b * v + back.c, x, 1e-12);
    EXPECT_NEAR(back.d * u + back.e * v + back.f, y, 1e-12);
  }
}

TEST(Transform, ScalesShiftsAndKeepsCornersOrderedWhenMirrored) {
  expect_box(transform({2, 0, 1, 0, 3, -1}, {1, 2, 3, 4}), 3, 5, 7, 11);
  expect_box(transform({-1, 0, 10, 0, 1, 0}, {1, 2, 3, 4}), 7, 2, 9, 4);
}

TEST(Transform, OfARotatedBoxBoundsItsCorners) {
  expect_box(transform({0, -1, 0, 1, 0, 0}, {1, 2, 3, 5}), -5, 1, -2, 3);  // a quarter turn
  expect_box(transform({1, 1, 0, -1, 1, 0}, {0, 0, 2, 1}), 0, -2, 3, 1);   // an eighth, and larger
}

TEST(Box, HasWidthHeightAndArea) {
  const Box box{1, 2, 4, 8};
  EXPECT_EQ(box.width(), 3);
  EXPECT_EQ(box.height(), 6);
  EXPECT_EQ(box.area(), 18);
}

}  // namespace
}  // namespace conclave
