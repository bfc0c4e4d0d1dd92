#include "jobs/comparison_files.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "compared_methods.h"
#include "jobs/comparison_markdown.h"
#include "jobs/comparison_statistics.h"
#include "run_folder.h"

namespace conclave {
namespace {

Comparison small() {
  Comparison comparison = comparison_of({{"kd", {0.5, 0.52}}, {"pseudo", {0.48, -1}}}, "pseudo");
  comparison.runs[3].state = RunState::kFailed;
  comparison.runs[3].failure = "the disk is full";
  comparison.runs[0].record.training = training(20.0, 4.0, Interval::kNone);
  comparison.runs[0].record.training->images = 80;
  comparison.runs[0].record.training->teacher_busy = {{"x", 3.0}, {"y", 1.5}};
  comparison.methods[0].description = "soft | targets";
  comparison.methods[0].overrides = {"fusion.method=kd"};
  summarise(comparison);
  return comparison;
}

TEST(ComparisonFiles, JsonHoldsRunsStatisticsAndVerdicts) {
  const auto json = nlohmann::json::parse(comparison_json(small()));
  EXPECT_EQ(json["format"], 1);
  EXPECT_EQ(json["baseline"], "pseudo");
  ASSERT_EQ(json["methods"].size(), 2u);
  const auto& kd = json["methods"][0];
  EXPECT_DOUBLE_EQ(kd["all"]["ap"]["mean"], 0.51);
  EXPECT_EQ(kd["all"]["ap"]["n"], 2);
  EXPECT_EQ(kd["all"]["ap_difference"]["n"], 1);
  EXPECT_TRUE(kd["all"]["ap_difference"]["low"].is_null()) << "NaN is no JSON";
  EXPECT_DOUBLE_EQ(kd["per_class"]["b"]["ap"]["mean"], 1.1 * 0.51);
  EXPECT_DOUBLE_EQ(kd["cost"]["seconds"], 20.0);
  EXPECT_DOUBLE_EQ(kd["cost"]["teacher_busy"], 4.5);
  EXPECT_EQ(kd["cost"]["images"], 80.0);
  EXPECT_EQ(kd["seed_shift"], 0);
  EXPECT_EQ(kd["per_class"]["a"]["ap50_less_teacher"]["n"], 0) << "no teacher is known";
  EXPECT_TRUE(json["pairs"].empty()) << "two methods";
  EXPECT_EQ(json["gap"]["n"], 0);
  EXPECT_TRUE(json["methods"][1]["cost"]["seconds"].is_null());
  ASSERT_EQ(json["runs"].size(), 4u);
  EXPECT_EQ(json["runs"][0]["state"], "done");
  EXPECT_EQ(json["runs"][0]["images"], 80);
  EXPECT_DOUBLE_EQ(json["runs"][0]["per_class"]["a"]["ap50"], 2 * 0.45 - 0.1);
  EXPECT_EQ(json["runs"][3]["state"], "failed");
  EXPECT_EQ(json["runs"][3]["failure"], "the disk is full");
  EXPECT_FALSE(json["runs"][3].contains("all"));
  EXPECT_EQ(json["verdicts"].size(), small().verdicts.size());
}

TEST(ComparisonFiles, JsonHoldsEveryPairAndTheDifferenceToTheTeacher) {
  Comparison comparison = comparison_of({{"kd", {0.5, 0.52}}, {"pseudo", {0.48, 0.5}}, {"ignore", {0.4, 0.41}}}, "kd");
  for (ComparedRun& run : comparison.runs) run.record.teachers = {{"t", {"a"}, {{"a", numbers_of(0.46)}}}};
  summarise(comparison);
  const auto json = nlohmann::json::parse(comparison_json(comparison));
  ASSERT_EQ(json["pairs"].size(), 3u);
  EXPECT_EQ(json["pairs"][2]["method"], "pseudo");
  EXPECT_EQ(json["pairs"][2]["other"], "ignore");
  EXPECT_NEAR(json["pairs"][2]["ap"]["mean"], 0.085, 1e-12);
  EXPECT_NEAR(json["pairs"][2]["ap50"]["mean"], 0.17, 1e-12);
  const auto& kd = json["methods"][0]["per_class"]["a"];
  EXPECT_NEAR(kd["ap_less_teacher"]["mean"], 0.9 * 0.51 - 0.46, 1e-12);
  EXPECT_NEAR(kd["ap50_less_teacher"]["mean"], 2 * (0.9 * 0.51 - 0.46), 1e-12);
  EXPECT_EQ(kd["ap50_less_teacher"]["n"], 2);
}

TEST(ComparisonFiles, CsvHasARowPerFinishedRunAndClass) {
  Comparison comparison = small();
  comparison.runs[0].method = "kd, \"soft\"";
  std::istringstream lines(comparison_csv(comparison));
  std::vector<std::string> rows;
  for (std::string line; std::getline(lines, line);) rows.push_back(line);
  ASSERT_EQ(rows.size(), 1u + 3 * 3);
  EXPECT_EQ(rows[0], "method,seed,class,ap,ap50,ap75,seconds,images_per_second,images");
  EXPECT_EQ(rows[1], "\"kd, \"\"soft\"\"\",0,all,0.5,0.9,,20.0,4.0,80");
  EXPECT_EQ(rows[2], "\"kd, \"\"soft\"\"\",0,a,0.45,0.8,,20.0,4.0,80");
  EXPECT_EQ(rows[7], "pseudo,0,all,0.48,0.86,,,,");
}

TEST(ComparisonFiles, AllOfThemAreWritten) {
  RunFolder folder;
  write_comparison(small(), folder.path());
  EXPECT_EQ(folder.read("results.json"), comparison_json(small()));
  EXPECT_EQ(folder.read("results.csv"), comparison_csv(small()));
  EXPECT_EQ(folder.read("report.md"), comparison_markdown(small()));
}

}  // namespace
}  // namespace conclave
