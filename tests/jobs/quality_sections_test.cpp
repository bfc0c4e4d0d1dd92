#include "jobs/quality_sections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "jobs/run_folder.h"

namespace conclave {
namespace {

using testing::HasSubstr;
using testing::Not;

DetectorQuality detector(const std::string& name, std::vector<double> precision, double threshold) {
  ClassQuality quality;
  quality.objects = 10;
  quality.precision = std::move(precision);
  quality.threshold = ThresholdQuality{threshold, 0.8, 0.5, 0.615, true};
  quality.bins = {{0.1, 0.0, 30}, {0.75, 0.5, 4}};
  quality.calibration_error = 0.115;
  return {name, {{"cell", quality}}, {}};
}

TEST(ReadRunQuality, ReadsEveryPart) {
  const RunFolder run;
  run.write("quality.json", R"({"set":"test","thresholds_from":"val","detectors":[{"name":"student","per_class":{"a":{
    "objects":3,"curve":{"precision":[1,0.5,null]},"calibration":{"bins":[{"score":0.9,"precision":1,"count":2}],"error":0.1},
    "threshold":{"score":0.4,"found":true,"precision":0.5,"recall":0.6,"f1":0.55}}},"images":[{"id":7,"f1":0.25}]}]})");
  const auto quality = read_run_quality(run.path());
  ASSERT_TRUE(quality && quality->detectors.size() == 1);
  EXPECT_EQ(quality->thresholds_from, "val");
  const ClassQuality& a = quality->detectors[0].per_class.at("a");
  EXPECT_EQ(a.objects, 3);
  ASSERT_EQ(a.precision.size(), 3u);
  EXPECT_TRUE(std::isnan(a.precision[2]));
  EXPECT_EQ(a.bins.at(0).count, 2);
  EXPECT_EQ(a.calibration_error, 0.1);
  ASSERT_TRUE(a.threshold);
  EXPECT_TRUE(a.threshold->found);
  EXPECT_EQ(a.threshold->f1, 0.55);
  EXPECT_EQ(quality->detectors[0].image_f1.at(7), 0.25);
}

TEST(ReadRunQuality, IsNothingWithoutAFileAndNamesAWrongField) {
  const RunFolder run;
  EXPECT_FALSE(read_run_quality(run.path()));
  run.write("quality.json", R"({"detectors":[{"per_class":{"a":{"curve":{"precision":[1,"x"]}}}}]})");
  try {
    read_run_quality(run.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("`detectors[0].per_class.a.curve.precision[1]` must be a number"));
  }
}

TEST(PrecisionRecall, DrawsTheMeanOverSeedsWhereAllReachIt) {
  const DetectorQuality one = detector("s", {1, 0.8, 0.6}, 0.4), two = detector("s", {1, 0.4, std::nan("")}, 0.6);
  const std::string html = precision_recall_html({{"kd", 0, {&one, &two}}}, {"cell", "unknown"});
  // A unit square from (44,266) to (282,14): recall 0.5 is x 163, precision 0.6 is y 114.8.
  EXPECT_THAT(html, HasSubstr("d=\"M44.0 14.0L163.0 114.8\""));
  EXPECT_THAT(html, HasSubstr(">cell"));
  EXPECT_THAT(html, Not(HasSubstr("unknown"))) << "nobody knows it";
  EXPECT_THAT(html, Not(HasSubstr("nan")));
}

TEST(PrecisionRecall, IsEmptyWhereNothingIsKnown) {
  const DetectorQuality none{"s", {}, {}};
  EXPECT_EQ(precision_recall_html({{"kd", 0, {&none}}}, {"cell"}), "");
  EXPECT_EQ(calibration_html({{"kd", 0, {&none}}}, {"cell"}), "");
  EXPECT_EQ(thresholds_html({{"kd", 0, {&none}}}, {"cell"}, "val", "test"), "");
}

TEST(Thresholds, SayWhereTheyAreFromAndWhatTheyGive) {
  DetectorQuality one = detector("s", {1, 1}, 0.4), two = detector("s", {1, 1}, 0.6);
  std::string html = thresholds_html({{"kd", 0, {&one, &two}}}, {"cell"}, "val", "test");
  EXPECT_THAT(html, HasSubstr("<td class=\"num\">0.50</td><td class=\"num\">80.0</td><td class=\"num\">50.0</td>"
                              "<td class=\"num\">61.5</td>"));
  EXPECT_THAT(html, HasSubstr("Chosen on val for the best F1; what it gives is of test."));
  two.per_class["cell"].threshold->found = false;
  html = thresholds_html({{"kd", 0, {&one, &two}}}, {"cell"}, "", "test");
  EXPECT_THAT(html, HasSubstr("0.50*"));
  EXPECT_THAT(html, HasSubstr("no set to choose on"));
}

TEST(Calibration, DrawsBinsOfAllSeedsTogetherBesideTheDiagonal) {
  const DetectorQuality one = detector("s", {1, 1}, 0.4), two = detector("s", {1, 1}, 0.4);
  const std::string html = calibration_html({{"kd", 0, {&one, &two}}}, {"cell"});
  EXPECT_THAT(html, HasSubstr("d=\"M67.8 266.0L222.5 140.0\"")) << "(0.1, 0) and (0.75, 0.5)";
  EXPECT_THAT(html, HasSubstr("<g class=\"series-ref\">"));
  EXPECT_THAT(html, HasSubstr("<td class=\"num\">11.5</td>"));
}

TEST(QualitySections, EscapeHostileNames) {
  const std::string evil = "<img src=x>";
  DetectorQuality one = detector("s", {1, 1}, 0.4);
  one.per_class[evil] = one.per_class["cell"];
  const std::vector<QualityColumn> columns = {{evil, 0, {&one}}};
  const std::string html = precision_recall_html(columns, {evil}) + thresholds_html(columns, {evil}, evil, evil) +
                           calibration_html(columns, {evil});
  EXPECT_THAT(html, HasSubstr("&lt;img"));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
}

}  // namespace
}  // namespace conclave
