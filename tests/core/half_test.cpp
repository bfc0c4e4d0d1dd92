#include "core/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace conclave {
namespace {

bool is_nan(std::uint16_t half) {
  return (half & 0x7c00) == 0x7c00 && (half & 0x3ff) != 0;
}

TEST(Half, EveryHalfIsTheFloatOfItsFormulaAndComesBack) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = float_from_half(half);
    if (is_nan(half)) {
      EXPECT_TRUE(std::isnan(value)) << bits;
      EXPECT_TRUE(is_nan(half_from_float(value))) << bits;
      EXPECT_EQ(std::signbit(value), (bits & 0x8000) != 0) << bits;
      continue;
    }
    const int exponent = static_cast<int>(bits >> 10 & 31), mantissa = static_cast<int>(bits & 1023);
    float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24)
                                    : std::ldexp(static_cast<float>(1024 + mantissa), exponent - 25);
    if (exponent == 31) magnitude = std::numeric_limits<float>::infinity();
    const float expected = bits & 0x8000 ? -magnitude : magnitude;
    ASSERT_EQ(std::bit_cast<std::uint32_t>(value), std::bit_cast<std::uint32_t>(expected)) << bits;
    ASSERT_EQ(half_from_float(value), half) << bits;
  }
}

// Between two neighbours: below the middle down, above it up, the middle itself to the even one.
TEST(Half, RoundsToTheNearestAndTiesToEven) {
  for (std::uint16_t half = 0; half < 0x7bff; ++half) {
    const auto above = static_cast<std::uint16_t>(half + 1);
    const float middle = (float_from_half(half) + float_from_half(above)) / 2;  // exact
    ASSERT_EQ(half_from_float(std::nextafter(middle, 0.f)), half);
    ASSERT_EQ(half_from_float(std::nextafter(middle, 1e9f)), above);
    ASSERT_EQ(half_from_float(middle), half % 2 == 0 ? half : above);
    ASSERT_EQ(half_from_float(-middle), (half % 2 == 0 ? half : above) | 0x8000);
  }
}

TEST(Half, LargeNumbersBecomeInfinityFrom65520On) {
  EXPECT_EQ(half_from_float(65504.f), 0x7bff);
  EXPECT_EQ(half_from_float(std::nextafter(65520.f, 0.f)), 0x7bff);
  EXPECT_EQ(half_from_float(65520.f), 0x7c00);
  EXPECT_EQ(half_from_float(std::numeric_limits<float>::max()), 0x7c00);
  EXPECT_EQ(half_from_float(-std::numeric_limits<float>::infinity()), 0xfc00);
}

TEST(Half, TinyNumbersBecomeZeroOfTheirSign) {
  EXPECT_EQ(half_from_float(0x1p-25f), 0);
  EXPECT_EQ(half_from_float(std::nextafter(0x1p-25f, 1.f)), 1);
  EXPECT_EQ(half_from_float(-std::numeric_limits<float>::denorm_min()), 0x8000);
  EXPECT_EQ(half_from_float(-0.f), 0x8000);
}

TEST(Half, NaNStaysNaN) {
  EXPECT_TRUE(is_nan(half_from_float(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_TRUE(is_nan(half_from_float(std::bit_cast<float>(0x7f800001u))));  // all its mantissa bits are cut off
  EXPECT_TRUE(is_nan(half_from_float(std::bit_cast<float>(0xff800001u))));
}

}  // namespace
}  // namespace conclave
