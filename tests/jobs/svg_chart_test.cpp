#include "jobs/svg_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace conclave {
namespace {

using testing::HasSubstr;
using testing::Not;

MATCHER_P(EachNear, wanted, "") {
  if (arg.size() != wanted.size()) return false;
  for (std::size_t i = 0; i < arg.size(); ++i) {
    if (std::abs(arg[i] - wanted[i]) > 1e-9 * std::max(1.0, std::abs(wanted[i]))) return false;
  }
  return true;
}

using Values = std::vector<double>;

TEST(NiceTicks, AreOneTwoOrFiveTimesAPowerOfTenAndEncloseTheRange) {
  EXPECT_THAT(nice_ticks(0, 100), EachNear(Values{0, 20, 40, 60, 80, 100}));
  EXPECT_THAT(nice_ticks(0.13, 0.98), EachNear(Values{0, 0.2, 0.4, 0.6, 0.8, 1.0}));
  EXPECT_THAT(nice_ticks(-3, 7), EachNear(Values{-4, -2, 0, 2, 4, 6, 8}));
  EXPECT_THAT(nice_ticks(1020, 1980, 3), EachNear(Values{1000, 1500, 2000}));
}

TEST(NiceTicks, WidenARangeOfOnePoint) {
  for (const double at : {0.0, 5.0, -2e-7, 3e12}) {
    const Values ticks = nice_ticks(at, at);
    ASSERT_GE(ticks.size(), 2u) << at;
    EXPECT_LT(ticks.front(), ticks.back());
    EXPECT_LE(ticks.front(), at);
    EXPECT_GE(ticks.back(), at);
  }
}

TEST(NiceTicks, AcceptSwappedBounds) {
  EXPECT_EQ(nice_ticks(100, 0), nice_ticks(0, 100));
}

TEST(LogTicks, EncloseTheRangeTightlyAndStayFew) {
  EXPECT_THAT(log_ticks(0.75, 7), EachNear(Values{0.5, 1, 2, 5, 10}));
  EXPECT_THAT(log_ticks(0.04, 60), EachNear(Values{0.01, 0.1, 1, 10, 100}));
  EXPECT_THAT(log_ticks(1, 1), EachNear(Values{1, 2}));
  const Values wide = log_ticks(1e-12, 1e9);
  EXPECT_LE(wide.size(), 7u);
  EXPECT_LE(wide.front(), 1e-12 * (1 + 1e-9));
  EXPECT_GE(wide.back(), 1e9 * (1 - 1e-9));
}

TEST(TickText, IsShort) {
  EXPECT_EQ(tick_text(0), "0");
  EXPECT_EQ(tick_text(0.05), "0.05");
  EXPECT_EQ(tick_text(1500), "1500");
  EXPECT_EQ(tick_text(20000), "20k");
  EXPECT_EQ(tick_text(2.5e6), "2.5M");
  EXPECT_EQ(tick_text(2e-5), "2e-05");
  EXPECT_EQ(tick_text(0.1 + 0.2), "0.3");
}

TEST(Thinned, AveragesNeighboursAndKeepsGaps) {
  const Series thin = thinned({"a", {0, 1, 2, 3, 4, 5}, {2, 4, NAN, NAN, 6, NAN}}, 3);
  ASSERT_EQ(thin.x.size(), 3u);
  EXPECT_EQ(thin.y[0], 3);
  EXPECT_TRUE(std::isnan(thin.y[1]));
  EXPECT_EQ(thin.y[2], 6);
  EXPECT_EQ(thin.x[2], 4);
}

TEST(LineChart, DrawsALineThroughItsPoints) {
  const std::string html = line_chart_html({{"total", {0, 100}, {0, 10}}}, {"Loss", "step", "nats"});
  EXPECT_THAT(html, HasSubstr("<path class=\"series\" d=\"M44.0 206.0L422.0 14.0\">"));
  EXPECT_THAT(html, HasSubstr("<span>total</span><b>10</b>"));
}

TEST(LineChart, BreaksTheLineAtAValueThatIsNotFinite) {
  const std::string html = line_chart_html({{"a", {0, 1, 2, 3, 4}, {0, 4, NAN, 4, 0}}}, {"t"});
  const std::string path = html.substr(html.find(" d=\"") + 4);
  const std::string d = path.substr(0, path.find('"'));
  EXPECT_EQ(std::count(d.begin(), d.end(), 'M'), 2) << d;
  EXPECT_THAT(html, Not(HasSubstr("nan")));
}

TEST(LineChart, LeavesOutZeroOnALogAxisButMarksALonePoint) {
  ChartOptions log{"t"};
  log.log_y = true;
  const std::string html = line_chart_html({{"a", {0, 1, 2}, {0, 3, 0}}}, log);
  EXPECT_THAT(html, HasSubstr("<circle"));
  EXPECT_THAT(html, Not(HasSubstr("inf")));
  EXPECT_EQ(line_chart_html({{"a", {0, 1}, {0, -1}}}, log), "");
}

TEST(LineChart, IsEmptyWithoutPoints) {
  EXPECT_EQ(line_chart_html({}, {"t"}), "");
  EXPECT_EQ(line_chart_html({{"a", {}, {}}, {"b", {1}, {NAN}}}, {"t"}), "");
}

TEST(LineChart, EscapesNamesAndDashesFromTheNinthOn) {
  std::vector<Series> many;
  for (int i = 0; i < 9; ++i) many.push_back({std::string("<").append(std::to_string(i)).append(">"), {0, 1}, {0, 1}});
  const std::string html = line_chart_html(many, {"<t>"});
  EXPECT_THAT(html, Not(HasSubstr("<0>")));
  EXPECT_THAT(html, Not(HasSubstr("<t>")));
  EXPECT_THAT(html, HasSubstr("<li><i class=\"chip series-0 dashed\"></i><span>&lt;8&gt;</span>"));
}

TEST(LineChart, DrawsABandWhereBothEdgesAreKnown) {
  Series series{"a", {0, 1, 2, 3}, {5, 5, 5, 5}, {0, 0, NAN, 0}, {10, 10, 10, NAN}};
  const std::string html = line_chart_html({series}, {"t"});
  EXPECT_THAT(html, HasSubstr("<path class=\"band\" d=\"M44.0 14.0L170.0 14.0L170.0 206.0L44.0 206.0Z\"/>"));
  EXPECT_THAT(html, Not(HasSubstr("nan")));
}

TEST(LineChart, KeepsTheLookThatACallerGives) {
  ChartOptions shared{"t"};
  shared.legend = false;
  const std::string html =
      line_chart_html({{"a", {0, 1}, {0, 1}, {}, {}, 17}, {"b", {0, 1}, {0, 1}, {}, {}, kReference}}, shared);
  EXPECT_THAT(html, HasSubstr("<g class=\"series-1 dotted\">"));
  EXPECT_THAT(html, HasSubstr("<g class=\"series-ref\">"));
  EXPECT_THAT(html, Not(HasSubstr("legend")));
  EXPECT_THAT(legend_html({{"<a>", 3}}), HasSubstr("<i class=\"chip series-3\"></i><span>&lt;a&gt;</span>"));
}

}  // namespace
}  // namespace conclave
