#include "datasets/precision_recall.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

namespace conclave {
namespace {

using nlohmann::json;

json golden(const std::string& name) {
  std::ifstream file(std::string(CONCLAVE_SOURCE_DIR) + "/tests/golden/" + name);
  return json::parse(file);
}

// A problem of coco_ap.json.
struct Problem {
  Dataset set;
  std::vector<std::vector<Detection>> detections;

  explicit Problem(const json& given) {
    std::map<std::int64_t, std::size_t> position;
    for (int c = 0; c < given["classes"].get<int>(); ++c) set.classes.push_back(std::to_string(c + 1));
    for (const json& id : given["images"]) {
      position[id] = set.images.size();
      set.images.push_back({"", 512, 512, id.get<std::int64_t>(), {}});
    }
    detections.resize(set.images.size());
    for (const json& t : given["truth"]) {
      const float x = t[2], y = t[3], w = t[4], h = t[5];
      set.images[position.at(t[0])].annotations.push_back(
          {{x, y, x + w, y + h}, t[1].get<int>() - 1, t[7].get<int>() != 0, t[6], 0});
    }
    for (const json& d : given["detections"]) {
      const float x = d[2], y = d[3], w = d[4], h = d[5];
      detections[position.at(d[0])].push_back({{x, y, x + w, y + h}, d[1].get<int>() - 1, d[6]});
    }
  }
};

Dataset three_objects() {
  Dataset set;
  set.classes = {"a"};
  set.images.push_back({"", 100, 100, 1, {{{0, 0, 10, 10}, 0}, {{20, 0, 30, 10}, 0}}});
  set.images.push_back({"", 100, 100, 2, {{{0, 0, 10, 10}, 0}}});
  return set;
}

TEST(PrecisionRecall, FindsTheBestF1ThatPycocotoolsMatchesGive) {
  const json problems = golden("coco_ap.json"), expected = golden("best_f1.json");
  ASSERT_EQ(problems.size(), expected.size());
  for (std::size_t i = 0; i < problems.size(); ++i) {
    SCOPED_TRACE("problem " + std::to_string(i));
    const Problem problem(problems[i]);
    const std::vector<ClassMatches> matches = match_detections(problem.set, problem.detections);
    ASSERT_EQ(matches.size(), expected[i].size());
    for (std::size_t c = 0; c < matches.size(); ++c) {
      const CurvePoint best = best_f1(precision_recall(matches[c]));
      EXPECT_EQ(matches[c].objects, expected[i][c][0].get<std::int64_t>());
      EXPECT_EQ(best.score, expected[i][c][1].get<float>());
      EXPECT_NEAR(best.precision, expected[i][c][2].get<double>(), 1e-12);
      EXPECT_NEAR(best.recall, expected[i][c][3].get<double>(), 1e-12);
      EXPECT_NEAR(best.f1, expected[i][c][4].get<double>(), 1e-12);
    }
  }
}

TEST(PrecisionRecall, HasOnePointPerScoreAndNamesTheObjectsThatWereHit) {
  const std::vector<std::vector<Detection>> found = {{{{0, 0, 10, 9}, 0, 0.5F}, {{20, 0, 30, 10}, 0, 0.9F}},
                                                     {{{50, 50, 60, 60}, 0, 0.5F}, {{0, 0, 10, 10}, 0, 0.25F}}};
  const ClassMatches matches = match_detections(three_objects(), found).front();
  ASSERT_EQ(matches.detections.size(), 4u);
  EXPECT_EQ(matches.detections[0].position, 1u);
  EXPECT_EQ(matches.detections[0].object, 1);
  EXPECT_EQ(matches.detections[2].image, 1u);
  EXPECT_FALSE(matches.detections[2].hit);
  EXPECT_EQ(matches.detections[2].object, -1);
  const std::vector<CurvePoint> curve = precision_recall(matches);
  ASSERT_EQ(curve.size(), 3u) << "two detections share a score: no threshold tells them apart";
  EXPECT_EQ(curve[1].score, 0.5F);
  EXPECT_NEAR(curve[1].precision, 2.0 / 3, 1e-12);
  EXPECT_NEAR(curve[1].recall, 2.0 / 3, 1e-12);
  EXPECT_EQ(best_f1(curve).score, 0.25F) << "3 of 4, all found";
}

TEST(PrecisionRecall, GivesEqualF1ToTheHigherScore) {
  // 0.9: 1 hit of 1 kept, 3 objects: 2/4. 0.5, 0.4: false ones. 0.3: 2 hits of 5... with 3 objects: 4/8, the same.
  const std::vector<std::vector<Detection>> found = {{{{0, 0, 10, 10}, 0, 0.9F},
                                                      {{50, 50, 60, 60}, 0, 0.5F},
                                                      {{60, 50, 70, 60}, 0, 0.4F},
                                                      {{70, 50, 80, 60}, 0, 0.35F},
                                                      {{20, 0, 30, 10}, 0, 0.3F}},
                                                     {}};
  const CurvePoint best = best_f1(precision_recall(match_detections(three_objects(), found).front()));
  EXPECT_EQ(best.score, 0.9F);
  EXPECT_EQ(best.f1, 0.5);
}

TEST(PrecisionRecall, SaysThatNothingWasHit) {
  const std::vector<std::vector<Detection>> found = {{{{50, 50, 60, 60}, 0, 0.9F}}, {}};
  const CurvePoint best = best_f1(precision_recall(match_detections(three_objects(), found).front()));
  EXPECT_EQ(best.f1, 0);
  EXPECT_EQ(best.score, 0);
  EXPECT_TRUE(precision_recall(ClassMatches{3, {}}).empty());
}

}  // namespace
}  // namespace conclave
