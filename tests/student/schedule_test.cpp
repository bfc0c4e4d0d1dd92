#include "student/schedule.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace conclave {
namespace {

TEST(Schedule, WarmsUpLinearlyThenFollowsACosineToZero) {
  const ScheduleOptions schedule{.steps = 110, .warmup = 10};
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 2.0, 0), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 2.0, 9), 2.0);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 2.0, 10), 2.0);
  EXPECT_NEAR(learning_rate(schedule, 2.0, 60), 1.0, 1e-12);
  EXPECT_NEAR(learning_rate(schedule, 2.0, 110), 0.0, 1e-12);
}

TEST(Schedule, DividesByTenAtMilestones) {
  const ScheduleOptions schedule{.steps = 100, .warmup = 0, .type = "step", .milestones = {0.7, 0.9}};
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 1.0, 69), 1.0);
  EXPECT_NEAR(learning_rate(schedule, 1.0, 70), 0.1, 1e-12);
  EXPECT_NEAR(learning_rate(schedule, 1.0, 90), 0.01, 1e-12);
}

TEST(Schedule, StaysConstantAfterWarmUp) {
  const ScheduleOptions schedule{.steps = 100, .warmup = 4, .type = "constant"};
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 1.0, 1), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 1.0, 99), 1.0);
}

TEST(Schedule, RefusesUnknownTypesAndMilestonesOutsideTheTraining) {
  EXPECT_THROW(check(ScheduleOptions{.type = "cosin"}), Error);
  EXPECT_THROW(check(ScheduleOptions{.steps = 0}), Error);
  EXPECT_THROW(check(ScheduleOptions{.type = "step", .milestones = {7}}), Error);
  EXPECT_NO_THROW(check(ScheduleOptions{}));
}

}  // namespace
}  // namespace conclave
