#include "jobs/comparison_tables.h"

#include <gmock/gmock.h>

#include "compared_methods.h"
#include "jobs/comparison_statistics.h"

namespace conclave {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Comparison three() {
  return comparison_of({{"kd", {0.50, 0.52, 0.51}}, {"pseudo", {0.48, 0.499, 0.49}}, {"again", {0.501, 0.516, 0.511}}},
                       "pseudo");
}

std::string cell(const std::string& html) {
  return "<td class=\"num\">" + html + "</td>";
}

TEST(ComparisonTables, EveryPairIsThereFromBothSides) {
  Comparison comparison = three();
  summarise(comparison);
  const std::string html = pairs_html(comparison);
  EXPECT_THAT(html, HasSubstr(cell("") + cell("<b>+2.0</b><small>+1.9 to +2.2</small>") +
                              cell("+0.1<small>−0.7 to +0.8</small>")))
      << "kd less itself, pseudo and again";
  EXPECT_THAT(html, HasSubstr(cell("<b>−2.0</b><small>−2.2 to −1.9</small>") + cell(""))) << "pseudo less kd";
  EXPECT_THAT(html, HasSubstr("<h3>AP50</h3>"));
  EXPECT_THAT(html, HasSubstr("<b>+4.1</b><small>+3.8 to +4.4</small>"));
}

TEST(ComparisonTables, TwoMethodsHaveNoTableOfPairs) {
  Comparison comparison = comparison_of({{"kd", {0.5, 0.52}}, {"pseudo", {0.4, 0.49}}}, "pseudo");
  summarise(comparison);
  EXPECT_EQ(pairs_html(comparison), "");
}

TEST(ComparisonTables, DifferencesTellOnWhichSideOfZeroAnEndLies) {
  Comparison comparison = three();
  summarise(comparison);
  comparison.summaries[0].all.ap_difference = {0.011, 0.00038, 0.0216, 3};
  comparison.summaries[2].all.ap_difference = {-0.0003, -0.02, 0.02, 3};
  const std::string html = score_table_html(comparison);
  EXPECT_THAT(html, HasSubstr(cell("<b>+1.10</b><small>+0.04 to +2.16</small>")));
  EXPECT_THAT(html, HasSubstr(cell("0.0<small>−2.0 to +2.0</small>")));
}

TEST(ComparisonTables, StudentsAreComparedWithTheirTeachersInPoints) {
  Comparison comparison = three();
  for (ComparedRun& run : comparison.runs) run.record.teachers = {{"t", {"a"}, {{"a", numbers_of(0.46)}}}};
  summarise(comparison);
  const std::string html = retention_table_html(comparison);
  EXPECT_THAT(html, HasSubstr("<h3>Student less teacher</h3>"));
  EXPECT_THAT(html, HasSubstr(cell("−0.1<small>−2.3 to +2.1</small>") + cell("−0.2<small>−4.7 to +4.3</small>")));
}

TEST(ComparisonTables, AShareOfAGapThatMayBeNoneIsNotShown) {
  Comparison comparison = three();
  comparison.lower = "kd";
  comparison.upper = "again";
  summarise(comparison);
  EXPECT_EQ(retention_table_html(comparison), "");
  comparison.lower = "pseudo";
  summarise(comparison);
  EXPECT_THAT(retention_table_html(comparison), HasSubstr("gap closed"));
}

TEST(ComparisonTables, MethodsUnderShiftedSeedsAreMarked) {
  Comparison comparison = three();
  comparison.runs[6].record.seed = 1000;
  summarise(comparison);
  EXPECT_THAT(method_table_html(comparison), HasSubstr("<small>trained with each seed plus 1000</small>"));
  comparison.runs[6].record.seed = 0;
  summarise(comparison);
  EXPECT_THAT(method_table_html(comparison), Not(HasSubstr("trained with")));
}

}  // namespace
}  // namespace conclave
