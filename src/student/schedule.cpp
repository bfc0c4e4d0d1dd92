#include "student/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace conclave {

double learning_rate(const ScheduleOptions& schedule, double peak, std::int64_t step) {
  if (step < schedule.warmup) return peak * static_cast<double>(step + 1) / schedule.warmup;
  if (schedule.type == "cosine") {
    const double rest = std::max(1, schedule.steps - schedule.warmup);
    const double done = std::min(1.0, static_cast<double>(step - schedule.warmup) / rest);
    return peak * 0.5 * (1 + std::cos(std::numbers::pi * done));
  }
  if (schedule.type == "step") {
    const auto reached = std::count_if(schedule.milestones.begin(), schedule.milestones.end(), [&](double share) {
      return static_cast<double>(step) >= share * schedule.steps;
    });
    return peak * std::pow(0.1, static_cast<double>(reached));
  }
  return peak;
}

void check(const ScheduleOptions& schedule) {
  const std::string where = "training.schedule";
  if (schedule.type != "cosine" && schedule.type != "step" && schedule.type != "constant") {
    throw Error("unknown schedule '" + schedule.type + "'", where, "cosine, step or constant", Exit::kUsage);
  }
  if (schedule.steps < 1) throw Error("steps must be at least 1", where, {}, Exit::kUsage);
  if (schedule.warmup < 0) throw Error("warmup must not be negative", where, {}, Exit::kUsage);
  for (const double share : schedule.milestones) {
    if (!(share >= 0 && share <= 1)) {
      throw Error("a milestone lies outside 0..1", where, "milestones are shares of the training", Exit::kUsage);
    }
  }
}

}  // namespace conclave
