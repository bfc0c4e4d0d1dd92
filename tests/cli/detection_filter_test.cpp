#include "cli/detection_filter.h"

#include <gtest/gtest.h>

#include "cli/predict_job.h"
#include "core/error.h"

namespace conclave {
namespace {

const std::vector<std::string> kClasses = {"person", "car", "a=b"};

std::vector<double> thresholds(const std::vector<std::string>& texts, const std::map<std::string, double>& known = {}) {
  return make_filter(kClasses, known, texts, {}, 100).threshold;
}

TEST(DetectionFilter, ThresholdsAreUsuallyZeroPointThree) {
  EXPECT_EQ(thresholds({}), (std::vector<double>{0.3, 0.3, 0.3}));
}

TEST(DetectionFilter, TheWeightsOwnThresholdsCountUntilOthersAreGiven) {
  const std::map<std::string, double> known = {{"car", 0.42}};
  EXPECT_EQ(thresholds({}, known), (std::vector<double>{0.3, 0.42, 0.3}));
  EXPECT_EQ(thresholds({"0.5"}, known), (std::vector<double>{0.5, 0.5, 0.5}));
  EXPECT_EQ(thresholds({"person=0.1"}, known), (std::vector<double>{0.1, 0.42, 0.3}));
}

TEST(DetectionFilter, OneClassCanHaveItsOwnThreshold) {
  EXPECT_EQ(thresholds({"0.5", "car=0.25"}), (std::vector<double>{0.5, 0.25, 0.5}));
  EXPECT_EQ(thresholds({"a=b=0.25"}), (std::vector<double>{0.3, 0.3, 0.25}));
}

TEST(DetectionFilter, WhatIsNoScoreAndNoClassIsRefusedWithAHint) {
  for (const char* text : {"", "x", "1.5", "-0.1", "nan", "0.5x", "car=", "car=2", "=0.5"}) {
    EXPECT_THROW(thresholds({text}), Error) << text;
  }
  try {
    make_filter(kClasses, {}, {}, {"persn"}, 100);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.hint().find("person"), std::string::npos);
    EXPECT_EQ(error.exit(), Exit::kUsage);
  }
}

TEST(DetectionFilter, KeepsWantedClassesAboveTheirThresholdAndAtMostSoMany) {
  const std::vector<Detection> all = {{{}, 1, 0.9F}, {{}, 0, 0.8F}, {{}, 0, 0.7F}, {{}, 0, 0.3F}, {{}, 0, 0.2F}};
  DetectionFilter filter = make_filter(kClasses, {}, {}, {"person"}, 100);
  EXPECT_FALSE(filter.same_for_all());
  EXPECT_EQ(filter.apply(all).size(), 3u);  // 0.3 itself counts
  filter.most = 1;
  ASSERT_EQ(filter.apply(all).size(), 1u);
  EXPECT_FLOAT_EQ(filter.apply(all)[0].score, 0.8F);
  EXPECT_DOUBLE_EQ(make_filter(kClasses, {}, {"0.5", "car=0.1"}, {"person"}, 9).lowest_threshold(), 0.5);
}

TEST(DetectionFilter, WhatAThresholdDropsTakesNobodysPlace) {
  EXPECT_EQ(decode_options(make_filter(kClasses, {}, {"0.4"}, {}, 9)).top_k, 9);
  EXPECT_GE(decode_options(make_filter(kClasses, {}, {"0.4", "car=0.9"}, {}, 9)).top_k, 1000);
  EXPECT_GE(decode_options(make_filter(kClasses, {}, {"0.4"}, {"car"}, 9)).top_k, 1000);
}

}  // namespace
}  // namespace conclave
