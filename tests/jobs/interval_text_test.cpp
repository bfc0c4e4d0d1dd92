#include "jobs/interval_text.h"

#include <gtest/gtest.h>

namespace conclave {
namespace {

constexpr double kNone = Interval::kNone;

TEST(IntervalText, HasTheDecimalsThatTellOnWhichSideOfZeroAnEndLies) {
  const SignedInterval text = signed_interval({1.1, 0.038, 2.2, 5});
  EXPECT_EQ(text.mean, "+1.10");
  EXPECT_EQ(text.low, "+0.04");
  EXPECT_EQ(text.high, "+2.20");
  EXPECT_EQ(decimals_of({1, -0.06, 2, 5}), 1);
  EXPECT_EQ(decimals_of({1, 0.004, 2, 5}), 3);
  EXPECT_EQ(decimals_of({1, 1e-9, 2, 5}), 3) << "no more than three";
  EXPECT_EQ(decimals_of({0, 0, 0, 5}), 1);
  EXPECT_EQ(decimals_of({0.001, kNone, kNone, 1}), 1);
}

TEST(IntervalText, ZeroHasNoSign) {
  EXPECT_EQ(signed_number(-0.04, 1), "0.0");
  EXPECT_EQ(signed_number(0.04, 1), "0.0");
  EXPECT_EQ(signed_number(-0.06, 1), "-0.1");
  EXPECT_EQ(plain_number(-0.04, 1), "0.0");
  EXPECT_EQ(plain_number(2, 1), "2.0");
}

TEST(IntervalText, LeavesEndsOutThatAreNotKnown) {
  const SignedInterval one = signed_interval({2, kNone, kNone, 1});
  EXPECT_EQ(one.mean, "+2.0");
  EXPECT_EQ(one.low, "");
  EXPECT_EQ(one.high, "");
  EXPECT_EQ(signed_interval({}).mean, "–");
}

TEST(IntervalText, ScalesMeanAndEnds) {
  const Interval scale = scaled({0.02, 0.01, 0.03, 4}, 100);
  EXPECT_DOUBLE_EQ(scale.mean, 2);
  EXPECT_DOUBLE_EQ(scale.low, 1);
  EXPECT_DOUBLE_EQ(scale.high, 3);
  EXPECT_EQ(scale.n, 4);
}

}  // namespace
}  // namespace conclave
