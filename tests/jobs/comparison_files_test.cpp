#include "jobs/comparison_files.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "compared_methods.h"
#include "jobs/comparison_statistics.h"
#include "run_folder.h"

namespace conclave {
namespace {

using ::testing::HasSubstr;

Comparison small() {
  Comparison comparison = comparison_of({{"kd", {0.5, 0.52}}, {"pseudo", {0.48, -1}}}, "pseudo");
  comparison.runs[3].state = RunState::kFailed;
  comparison.runs[3].failure = "the disk is full";
  comparison.runs[0].record.training = training(20.0, 4.0, Interval::kNone);
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
  EXPECT_TRUE(json["methods"][1]["cost"]["seconds"].is_null());
  ASSERT_EQ(json["runs"].size(), 4u);
  EXPECT_EQ(json["runs"][0]["state"], "done");
  EXPECT_DOUBLE_EQ(json["runs"][0]["per_class"]["a"]["ap50"], 2 * 0.45 - 0.1);
  EXPECT_EQ(json["runs"][3]["state"], "failed");
  EXPECT_EQ(json["runs"][3]["failure"], "the disk is full");
  EXPECT_FALSE(json["runs"][3].contains("all"));
  EXPECT_EQ(json["verdicts"].size(), small().verdicts.size());
}

TEST(ComparisonFiles, CsvHasARowPerFinishedRunAndClass) {
  Comparison comparison = small();
  comparison.runs[0].method = "kd, \"soft\"";
  std::istringstream lines(comparison_csv(comparison));
  std::vector<std::string> rows;
  for (std::string line; std::getline(lines, line);) rows.push_back(line);
  ASSERT_EQ(rows.size(), 1u + 3 * 3);
  EXPECT_EQ(rows[0], "method,seed,class,ap,ap50,ap75,seconds,images_per_second");
  EXPECT_EQ(rows[1], "\"kd, \"\"soft\"\"\",0,all,0.5,0.9,,20.0,4.0");
  EXPECT_EQ(rows[2], "\"kd, \"\"soft\"\"\",0,a,0.45,0.8,,20.0,4.0");
  EXPECT_EQ(rows[7], "pseudo,0,all,0.48,0.86,,,");
}

TEST(ComparisonFiles, TheMarkdownTablesAreWholeWhateverTheNamesHold) {
  const std::string text = comparison_markdown(small());
  EXPECT_THAT(text, HasSubstr("| kd | 51.0 ± 12.7 | 45.9 ± 11.4 | 56.1 ± 14.0 |"));
  EXPECT_THAT(text, HasSubstr("| kd | 2.0 | 4.0 | 1 | 1.8 | 2.2 |"));
  EXPECT_THAT(text, HasSubstr("the disk is full"));
  EXPECT_THAT(text, HasSubstr("`fusion.method=kd`"));
  std::istringstream lines(text);
  std::size_t columns = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("| ", 0) != 0 && line.rfind("|-", 0) != 0) {
      columns = 0;
      continue;
    }
    const auto bars = static_cast<std::size_t>(std::count(line.begin(), line.end(), '|'));
    EXPECT_TRUE(columns == 0 || bars == columns) << line;
    columns = bars;
  }
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
