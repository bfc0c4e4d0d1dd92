#include "cli/run_quality.h"

#include <gtest/gtest.h>

namespace conclave {
namespace {

// One image of two objects of class a; class b is not labelled.
Dataset small_set() {
  Dataset set{"test", {"a", "b"}, {true, false}, {}};
  ImageEntry image;
  image.id = 42;
  image.width = image.height = 100;
  image.annotations = {{{0, 0, 10, 10}, 0, false, 100, 1}, {{20, 0, 30, 10}, 0, false, 100, 2}};
  set.images = {image};
  return set;
}

MeasuredDetector found(const std::string& name, std::vector<Detection> detections) {
  MeasuredDetector detector;
  detector.name = name;
  detector.judged = {true, false};
  detector.detections = {std::move(detections)};
  return detector;
}

const Detection kFirst{{0, 0, 10, 10}, 0, 0.9f}, kWrong{{60, 60, 70, 70}, 0, 0.6f}, kSecond{{20, 0, 30, 10}, 0, 0.4f};

TEST(FindThresholds, AreFixedWithoutASetToFindThemOn) {
  RunOptions options;
  options.classes = {"a", "b"};
  const Thresholds thresholds = find_thresholds({}, std::nullopt, options);
  EXPECT_EQ(thresholds.set, "");
  EXPECT_EQ(thresholds.scores, (std::vector<double>{0.3, 0.3}));
  EXPECT_EQ(thresholds.found, (std::vector<bool>{false, false}));
}

TEST(QualityJson, GivesTheCurveThatApIsTheAreaOf) {
  const auto json =
      quality_json(small_set(), found("student", {kFirst, kWrong, kSecond}), {}, {"val", {0.5, 0.5}, {true, true}});
  const auto& a = json["detectors"][0]["per_class"]["a"];
  EXPECT_FALSE(json["detectors"][0]["per_class"].contains("b")) << "the set does not label it";
  EXPECT_EQ(a["objects"], 2);
  // Precision 1 up to recall 0.5, then 2/3: what pycocotools has in eval['precision'] at its 101 recalls.
  ASSERT_EQ(a["curve"]["precision"].size(), 101u);
  EXPECT_EQ(a["curve"]["precision"][50], 1.0);
  EXPECT_NEAR(a["curve"]["precision"][51].get<double>(), 2.0 / 3, 1e-5);
  EXPECT_NEAR(a["curve"]["precision"][100].get<double>(), 2.0 / 3, 1e-5);
  EXPECT_NEAR(a["curve"]["score"][0].get<double>(), 0.9, 1e-5);
  EXPECT_NEAR(a["curve"]["score"][100].get<double>(), 0.4, 1e-5);
}

TEST(QualityJson, IsNullWhereNoThresholdReachesTheRecall) {
  const auto json = quality_json(small_set(), found("student", {kFirst}), {}, {"", {0.3, 0.3}, {false, false}});
  const auto& curve = json["detectors"][0]["per_class"]["a"]["curve"]["precision"];
  EXPECT_EQ(curve[50], 1.0);
  EXPECT_TRUE(curve[51].is_null());
  const auto nothing = quality_json(small_set(), found("student", {}), {}, {"", {0.3, 0.3}, {false, false}});
  EXPECT_TRUE(nothing["detectors"][0]["per_class"]["a"]["calibration"]["error"].is_null());
}

TEST(QualityJson, TellsWhatTheThresholdsGiveOnThisSetAndOnEachImage) {
  const auto json = quality_json(small_set(), found("student", {kFirst, kWrong, kSecond}), {found("t", {kSecond})},
                                 {"val", {0.5, 0.5}, {true, false}});
  EXPECT_EQ(json["thresholds_from"], "val");
  const auto& threshold = json["detectors"][0]["per_class"]["a"]["threshold"];
  EXPECT_EQ(threshold["score"], 0.5);
  EXPECT_EQ(threshold["found"], true);
  EXPECT_EQ(threshold["precision"], 0.5);
  EXPECT_EQ(threshold["recall"], 0.5);
  EXPECT_EQ(threshold["f1"], 0.5);
  EXPECT_EQ(json["detectors"][0]["images"][0]["id"], 42);
  EXPECT_EQ(json["detectors"][0]["images"][0]["f1"], 0.5);
  EXPECT_EQ(json["detectors"][1]["name"], "t");
  EXPECT_FALSE(json["detectors"][1]["per_class"]["a"].contains("threshold")) << "found for the student alone";
}

TEST(InStudentClasses, RenamesAndDropsChannels) {
  const auto mapped = in_student_classes({{{{0, 0, 1, 1}, 0, 0.5f}, {{0, 0, 1, 1}, 1, 0.4f}}}, {2, -1});
  ASSERT_EQ(mapped.at(0).size(), 1u);
  EXPECT_EQ(mapped[0][0].cls, 2);
}

}  // namespace
}  // namespace conclave
