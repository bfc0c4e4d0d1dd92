#include "datasets/calibration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace conclave {
namespace {

// Computed once with numpy:
//   rng = np.random.default_rng(5); s = np.round(rng.random(40), 3); hit = rng.random(40) < s**1.5
//   S, H = s[s >= 0.05], hit[s >= 0.05]; b = np.minimum((S * 10).astype(int), 9)
//   ece = sum((b == k).mean() * abs(S[b == k].mean() - H[b == k].mean()) for k in range(10))
const std::vector<float> kScores = {0.805f, 0.808f, 0.515f, 0.286f, 0.054f, 0.383f, 0.408f, 0.045f, 0.049f, 0.999f,
                                    0.652f, 0.235f, 0.435f, 0.974f, 0.898f, 0.844f, 0.392f, 0.493f, 0.677f, 0.061f,
                                    0.556f, 0.271f, 0.88f,  0.064f, 0.679f, 0.87f,  0.227f, 0.895f, 0.872f, 0.019f,
                                    0.707f, 0.001f, 0.503f, 0.437f, 0.203f, 0.325f, 0.806f, 0.316f, 0.149f, 0.699f};
const std::string kHits = "1010000001100110010000101101101000000001";

ClassMatches sample() {
  ClassMatches matches;
  for (std::size_t i = 0; i < kScores.size(); ++i) {
    matches.detections.push_back({kScores[i], kHits[i] == '1', 0, static_cast<std::uint32_t>(i), -1});
  }
  return matches;
}

TEST(Calibration, EqualsNumpysOnAFixedSample) {
  const Calibration result = calibration(sample());
  ASSERT_EQ(result.bins.size(), 10u);
  EXPECT_NEAR(result.error, 0.1834444444444445, 1e-7);
  EXPECT_EQ(result.bins[8].count, 9);
  EXPECT_NEAR(result.bins[8].score, 0.8531111111111112, 1e-7);
  EXPECT_NEAR(result.bins[8].precision, 0.6666666666666666, 1e-12);
  EXPECT_EQ(result.bins[0].count, 3) << "four scores are below 0.05";
}

TEST(Calibration, LeavesOutEmptyBinsAndPutsAScoreOfOneIntoTheLast) {
  ClassMatches matches;
  matches.detections = {{1.0f, true, 0, 0, 0}, {0.5f, false, 0, 1, -1}};
  const Calibration result = calibration(matches);
  ASSERT_EQ(result.bins.size(), 2u);
  EXPECT_EQ(result.bins[0].score, 0.5);
  EXPECT_EQ(result.bins[1].precision, 1);
  EXPECT_DOUBLE_EQ(result.error, 0.25);
  EXPECT_TRUE(std::isnan(calibration(ClassMatches{}).error));
}

Dataset two_images() {
  Dataset set{"s", {"a", "b"}, {true, true}, {}};
  ImageEntry first, second;
  first.id = 7;
  first.annotations = {{{0, 0, 10, 10}, 0, false, 100, 1}, {{20, 0, 30, 10}, 1, false, 100, 2}};
  first.annotations.push_back({{50, 50, 90, 90}, 0, true, 1600, 3});  // crowd: doesn't count
  set.images = {first, second};
  return set;
}

TEST(PerImageF1, CountsWhatEachThresholdKeeps) {
  const Dataset set = two_images();
  const std::vector<std::vector<Detection>> detections = {
      {{{0, 0, 10, 10}, 0, 0.9f}, {{60, 0, 70, 10}, 0, 0.8f}, {{20, 0, 30, 10}, 1, 0.4f}}, {}};
  const auto matches = match_detections(set, detections);
  const auto both = per_image_f1(set, matches, {0.5, 0.3}, {true, true});
  ASSERT_EQ(both.size(), 2u);
  EXPECT_DOUBLE_EQ(both[0].f1(), 0.8);  // 2 hits, 3 kept, 2 objects
  EXPECT_EQ(both[1].f1(), 1) << "nothing to find, nothing found";
  EXPECT_DOUBLE_EQ(per_image_f1(set, matches, {0.5, 0.41}, {true, true})[0].f1(), 0.5) << "b is below its threshold";
  EXPECT_DOUBLE_EQ(per_image_f1(set, matches, {0.85, 0.3}, {true, false})[0].f1(), 1) << "b is not judged";
  EXPECT_EQ(per_image_f1(set, matches, {0.95, 0.95}, {true, true})[0].f1(), 0);
}

}  // namespace
}  // namespace conclave
