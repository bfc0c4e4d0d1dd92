#include "student/step_rates.h"

#include <algorithm>

namespace conclave {

StepRates StepMeter::rates(std::int64_t step, double images_per_step, const TimeSpent& spent) const {
  const double time = std::max(seconds(spent), 1e-9);
  const auto share = [&](double part) { return std::clamp(part / time, 0.0, 1.0); };
  return {static_cast<double>(step - step_) * images_per_step / time, share(spent.data_wait - spent_.data_wait),
          share(spent.teacher_wait - spent_.teacher_wait)};
}

void StepMeter::restart(std::int64_t step, const TimeSpent& spent) {
  step_ = step;
  spent_ = spent;
}

double StepMeter::eta(std::int64_t step, std::int64_t steps, const TimeSpent& spent) const {
  return spent.training / static_cast<double>(step - first_step_) * static_cast<double>(steps - step);
}

}  // namespace conclave
