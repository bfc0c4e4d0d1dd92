#include "jobs/comparison_markdown.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>

#include "compared_methods.h"
#include "jobs/comparison_statistics.h"

namespace conclave {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ComparisonMarkdown, TablesAreWholeWhateverTheNamesHold) {
  Comparison comparison = comparison_of({{"kd", {0.5, 0.52}}, {"pseudo", {0.48, -1}}}, "pseudo");
  comparison.runs[3].state = RunState::kFailed;
  comparison.runs[3].failure = "the disk is full";
  comparison.methods[0].description = "soft | targets";
  comparison.methods[0].overrides = {"fusion.method=kd"};
  comparison.runs[0].record.training = training(20.0, 4.0, Interval::kNone);
  comparison.runs[0].record.teachers = {{"t", {"a"}, {{"a", numbers_of(0.46)}}}};
  summarise(comparison);
  const std::string text = comparison_markdown(comparison);
  EXPECT_THAT(text, HasSubstr("| kd | 51.0 ± 12.7 | 45.9 ± 11.4 | 56.1 ± 14.0 |"));
  EXPECT_THAT(text, HasSubstr("| kd | +2.0 | +4.0 | 1 | +1.8 | +2.2 |"));
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

TEST(ComparisonMarkdown, TellsEveryPairBoldWhereItsIntervalExcludesZero) {
  Comparison comparison = comparison_of(
      {{"kd", {0.50, 0.52, 0.51}}, {"pseudo", {0.48, 0.499, 0.49}}, {"again", {0.501, 0.516, 0.511}}}, "kd");
  comparison.runs[6].record.seed = 1000;
  summarise(comparison);
  const std::string text = comparison_markdown(comparison);
  EXPECT_THAT(text, HasSubstr("| kd less pseudo | **+2.0** [+1.9, +2.2] | **+4.1** [+3.8, +4.4] | 3 |"));
  EXPECT_THAT(text, HasSubstr("| kd less again | +0.1 [-0.7, +0.8] | +0.1 [-1.3, +1.6] | 3 |"));
  EXPECT_THAT(text, HasSubstr("* **again**, trained with each seed plus 1000\n"));
  comparison = comparison_of({{"kd", {0.50, 0.52}}, {"pseudo", {0.48, 0.499}}}, "kd");
  summarise(comparison);
  EXPECT_THAT(comparison_markdown(comparison), Not(HasSubstr("Every pair")));
}

TEST(ComparisonMarkdown, TellsWhatIsKeptOfTheTeachersInApAndAp50AsShareAndAsPoints) {
  Comparison comparison = comparison_of({{"kd", {0.50, 0.52}}, {"pseudo", {0.48, 0.49}}}, "kd");
  comparison.classes = {"a"};
  for (ComparedRun& run : comparison.runs) {
    const double drift = run.seed == 0 ? 0 : 0.01;
    run.record.teachers = {{"t", {"a"}, {{"a", numbers_of(0.46 + drift)}}}};
    run.record.training = training(20.0, 4.0, 1);
    run.record.training->worker_memory = 100 << 20;
  }
  summarise(comparison);
  const std::string text = comparison_markdown(comparison);
  EXPECT_THAT(text, HasSubstr("| method | a AP | a AP50 |"));
  EXPECT_THAT(text, HasSubstr("| kd | 99 % [")) << text;
  EXPECT_THAT(text, HasSubstr("| kd | -0.6 ["));
  EXPECT_THAT(text, HasSubstr("| -1.2 ["));
  EXPECT_THAT(text, HasSubstr("worker memory, MiB"));
}

}  // namespace
}  // namespace conclave
