#include "jobs/comparison_cost.h"

#include <gmock/gmock.h>

#include "compared_methods.h"
#include "jobs/comparison_statistics.h"

namespace conclave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// kd asks its teachers and keeps what they say, kd_labels takes it from there, labels needs none.
Comparison sharing() {
  Comparison comparison = comparison_of({{"kd", {0.5}}, {"kd_labels", {0.5}}, {"labels", {0.5}}}, "labels");
  for (ComparedRun& run : comparison.runs) {
    run.record.training = training(120, 50, 0);
    run.record.training->images = 8000;
  }
  RunRecord& asks = comparison.runs[0].record;
  asks.wire = WireResult{8000, 0, {{"a", 2048.0}}};
  asks.training->teacher_busy = {{"a", 436.25}};
  asks.training->worker_memory = 512 * 1024 * 1024;
  comparison.runs[1].record.stored_views = 8000;
  return comparison;
}

TEST(ComparisonCost, MarksWhatCameFromTheStore) {
  Comparison comparison = sharing();
  summarise(comparison);
  const CostTable table = cost_table(comparison);
  EXPECT_THAT(table.titles, ElementsAre("method", "images seen", "training, min", "images/s", "waiting for teachers, s",
                                        "teachers at work, s", "views asked", "views from a store",
                                        "wire, KiB per view", "worker memory, MiB"));
  ASSERT_EQ(table.rows.size(), 3u);
  EXPECT_THAT(table.rows[0], ElementsAre("kd", "8000", "2.0", "50.0", "0.0", "436.2", "8000", "0", "2.00", "512"));
  EXPECT_THAT(table.rows[1], ElementsAre("kd_labels", "8000", "2.0", "50.0", "0.0", "from the store", "from the store",
                                         "8000", "from the store", "from the store"));
  EXPECT_THAT(table.rows[2], ElementsAre("labels", "8000", "2.0", "50.0", "0.0", "–", "–", "–", "–", "–"));
}

TEST(ComparisonCost, SaysWhoPaysForSharedTargetsWhereSomeAre) {
  Comparison comparison = sharing();
  summarise(comparison);
  EXPECT_THAT(cost_note(comparison), HasSubstr("the run that asks for a view first pays"));
  comparison.runs[1].record.stored_views = 0;
  summarise(comparison);
  EXPECT_THAT(cost_note(comparison), Not(HasSubstr("store")));
}

TEST(ComparisonCost, HasNoRowsWhereNothingIsKnown) {
  Comparison comparison = comparison_of({{"kd", {0.5}}, {"labels", {0.5}}}, "labels");
  summarise(comparison);
  EXPECT_THAT(cost_table(comparison).rows, IsEmpty());
}

}  // namespace
}  // namespace conclave
