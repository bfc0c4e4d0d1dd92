#include "datasets/coco_ap.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
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

std::vector<std::vector<Detection>> detections_of(const json& rows, const Dataset& set) {
  std::map<std::int64_t, std::size_t> position;
  for (std::size_t i = 0; i < set.images.size(); ++i) position[set.images[i].id] = i;
  std::vector<std::vector<Detection>> detections(set.images.size());
  for (const json& d : rows) {
    const float x = d[2], y = d[3], w = d[4], h = d[5];
    detections[position.at(d[0])].push_back({{x, y, x + w, y + h}, d[1].get<int>() - 1, d[6]});
  }
  return detections;
}

Dataset dataset_of(const json& problem) {
  Dataset set;
  std::map<std::int64_t, std::size_t> position;
  for (int c = 0; c < problem["classes"].get<int>(); ++c) set.classes.push_back(std::to_string(c + 1));
  for (const json& id : problem["images"]) {
    position[id] = set.images.size();
    set.images.push_back({"", 512, 512, id.get<std::int64_t>(), {}});
  }
  for (const json& t : problem["truth"]) {
    const float x = t[2], y = t[3], w = t[4], h = t[5];
    set.images[position.at(t[0])].annotations.push_back(
        {{x, y, x + w, y + h}, t[1].get<int>() - 1, t[7].get<int>() != 0, t[6], 0});
  }
  return set;
}

std::vector<double> numbers(const ApSummary& s) {
  return {s.ap,  s.ap50, s.ap75,  s.ap_small, s.ap_medium, s.ap_large,
          s.ar1, s.ar10, s.ar100, s.ar_small, s.ar_medium, s.ar_large};
}

void expect_equal(const ApResult& result, const json& expect) {
  ASSERT_EQ(result.per_class.size() + 1, expect.size());
  for (std::size_t row = 0; row < expect.size(); ++row) {
    const auto mine = numbers(row == 0 ? result.all : result.per_class[row - 1]);
    for (std::size_t i = 0; i < mine.size(); ++i) {
      EXPECT_NEAR(mine[i], expect[row][i].get<double>(), 1e-6) << "row " << row << ", number " << i;
    }
  }
}

TEST(CocoAp, EqualsPycocotoolsOnRandomCasesWithCrowdsTiesAndEmptyImages) {
  const json cases = golden("coco_ap.json");
  ASSERT_EQ(cases.size(), 200u);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE("case " + std::to_string(i));
    const Dataset set = dataset_of(cases[i]);
    expect_equal(coco_ap(set, detections_of(cases[i]["detections"], set)), cases[i]["expect"]);
  }
}

TEST(CocoAp, EqualsPycocotoolsOnBccd) {
  const char* shared = std::getenv("CONCLAVE_SHARED");
  if (!shared || !std::filesystem::exists(std::string(shared) + "/data/bccd")) GTEST_SKIP() << "no CONCLAVE_SHARED";
  DatasetOptions options;
  options.name = "bccd";
  options.annotations = std::string(shared) + "/data/bccd/annotations/test.json";
  const Dataset set = load_dataset(options, {"RBC", "WBC", "Platelets"});
  const json problem = golden("coco_ap_bccd.json");
  expect_equal(coco_ap(set, detections_of(problem["detections"], set)), problem["expect"]);
}

TEST(CocoAp, CountsOnlyTheClassesAskedFor) {
  Dataset set;
  set.classes = {"a", "b"};
  set.images.push_back({"", 100, 100, 1, {{{0, 0, 40, 40}, 0, false, 1600, 1}, {{50, 50, 90, 90}, 1, false, 1600, 2}}});
  const std::vector<std::vector<Detection>> detections = {{{{0, 0, 40, 40}, 0, 0.9F}}};
  EXPECT_NEAR(coco_ap(set, detections).all.ap, 0.5, 1e-9);
  const ApResult only_a = coco_ap(set, detections, {true, false});
  EXPECT_NEAR(only_a.all.ap, 1, 1e-9);
  EXPECT_EQ(only_a.per_class[1].ap, -1);
}

}  // namespace
}  // namespace conclave
