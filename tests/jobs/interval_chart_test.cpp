#include "jobs/interval_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace conclave {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(IntervalScale, DrawsMeanWhiskersSingleValuesAndTheReference) {
  IntervalScale scale;
  scale.include(0);
  scale.add({2, 1, 3, 5}, {1.5, 4});
  const std::string html = scale.row_html({2, 1, 3, 5}, {1.5, 4, Interval::kNone}, 9, 0);
  EXPECT_THAT(html, HasSubstr("<g class=\"series-1 dashed\">"));
  EXPECT_THAT(html, HasSubstr("<line class=\"zero\" x1=\"12.0\""));
  EXPECT_THAT(html, HasSubstr("<circle class=\"dot\" cx=\"95.0\"")) << "2 is in the middle of 0 to 4";
  EXPECT_THAT(html, HasSubstr("<line class=\"reach\" x1=\"53.5\" y1=\"10.0\" x2=\"136.5\""));
  EXPECT_THAT(html, HasSubstr("aria-label=\"2.0, 1.0 to 3.0\""));
  EXPECT_THAT(html, Not(HasSubstr("nan")));
}

TEST(IntervalScale, ItsWordsTellOnWhichSideOfZeroAnEndLies) {
  IntervalScale scale;
  scale.add({1.1, 0.038, 2.2, 5});
  EXPECT_THAT(scale.row_html({1.1, 0.038, 2.2, 5}, {}, 0), HasSubstr("aria-label=\"1.10, 0.04 to 2.20\""));
}

TEST(IntervalScale, DrawsNoWhiskersWithoutAnInterval) {
  IntervalScale scale;
  scale.add({2, Interval::kNone, Interval::kNone, 1});
  const std::string html = scale.row_html({2, Interval::kNone, Interval::kNone, 1}, {}, 0);
  EXPECT_THAT(html, HasSubstr("class=\"dot\""));
  EXPECT_THAT(html, Not(HasSubstr("reach")));
  EXPECT_THAT(html, Not(HasSubstr("nan")));
}

TEST(IntervalScale, IsEmptyWithoutAMean) {
  IntervalScale scale;
  EXPECT_EQ(scale.row_html({}, {}, 0), "");
  EXPECT_EQ(scale.axis_html(), "");
  scale.include(1);
  EXPECT_EQ(scale.row_html({}, {1}, 0), "");
  EXPECT_THAT(scale.axis_html(), HasSubstr("<text"));
}

}  // namespace
}  // namespace conclave
