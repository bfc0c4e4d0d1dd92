#include "student/step_rates.h"

#include <gtest/gtest.h>

namespace conclave {
namespace {

TEST(StepMeter, MeasuresSinceItsRestartAndGuessesTheEndFromTheWhole) {
  StepMeter meter(100);  // a resumed training
  EXPECT_TRUE(meter.fresh());
  StepRates rates = meter.rates(110, 8, {20, 5, 10});
  EXPECT_DOUBLE_EQ(rates.images_per_second, 4);
  EXPECT_DOUBLE_EQ(rates.data_wait, 0.25);
  EXPECT_DOUBLE_EQ(rates.teacher_wait, 0.5);
  meter.restart(110, {20, 5, 10});
  EXPECT_FALSE(meter.fresh());
  EXPECT_DOUBLE_EQ(meter.seconds({30, 5, 20}), 10);
  rates = meter.rates(120, 8, {30, 5, 20});
  EXPECT_DOUBLE_EQ(rates.images_per_second, 8);
  EXPECT_DOUBLE_EQ(rates.data_wait, 0);
  EXPECT_DOUBLE_EQ(rates.teacher_wait, 1);
  EXPECT_DOUBLE_EQ(meter.eta(120, 200, {30, 5, 20}), 120);
}

TEST(StepMeter, StaysFiniteWhereNoTimePassed) {
  const StepRates rates = StepMeter(0).rates(0, 8, {});
  EXPECT_DOUBLE_EQ(rates.images_per_second, 0);
  EXPECT_DOUBLE_EQ(rates.teacher_wait, 0);
}

}  // namespace
}  // namespace conclave
