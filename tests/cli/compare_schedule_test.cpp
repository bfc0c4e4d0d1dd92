#include "cli/compare_schedule.h"

#include <gmock/gmock.h>

namespace conclave {
namespace {

TimedTask waiting(double seconds, const std::vector<std::size_t>& after = {}) {
  return {.seconds = seconds, .running = false, .ended = false, .after = after};
}

TEST(CompareSchedule, TasksShareTheSlots) {
  EXPECT_EQ(time_of_schedule({}, 2), 0);
  EXPECT_EQ(time_of_schedule({waiting(3), waiting(3), waiting(3), waiting(3)}, 2), 6);
  EXPECT_EQ(time_of_schedule({waiting(1), waiting(1), waiting(4)}, 2), 5) << "they start in order";
  EXPECT_EQ(time_of_schedule({waiting(4), waiting(1), waiting(1)}, 2), 4);
}

TEST(CompareSchedule, AChainTakesAsLongWithManySlots) {
  EXPECT_EQ(time_of_schedule({waiting(2), waiting(3, {0}), waiting(4, {1})}, 8), 9);
  EXPECT_EQ(time_of_schedule({waiting(2), waiting(3, {0}), waiting(4, {0})}, 8), 6);
  EXPECT_EQ(time_of_schedule({waiting(2), waiting(0, {0}), waiting(4, {1})}, 8), 6) << "also through one of no time";
}

TEST(CompareSchedule, WhatRunsKeepsItsPlaceAndWhatHasEndedIsWaitedForByNobody) {
  TimedTask ended = waiting(100), running = waiting(2, {0});
  ended.ended = true;
  running.running = true;
  EXPECT_EQ(time_of_schedule({ended, waiting(5, {0}), running}, 1), 7);
  EXPECT_EQ(time_of_schedule({ended, waiting(5, {0}), running}, 2), 5);
  running.seconds = 0;  // overdue
  EXPECT_EQ(time_of_schedule({ended, waiting(5, {2}), running}, 1), 5);
}

TEST(CompareSchedule, ACircleIsLeftOut) {
  EXPECT_EQ(time_of_schedule({waiting(1, {1}), waiting(1, {0}), waiting(2)}, 1), 2);
}

}  // namespace
}  // namespace conclave
