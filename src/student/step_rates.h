#pragma once

#include <cstdint>

namespace conclave {

// Seconds that a training has spent; evaluation is not counted.
struct TimeSpent {
  double training = 0;                     // in steps
  double data_wait = 0, teacher_wait = 0;  // parts of it
  double labelling = 0;                    // before the first step: making pseudo labels, or finding their thresholds
};

inline TimeSpent operator+(const TimeSpent& a, const TimeSpent& b) {
  return {a.training + b.training, a.data_wait + b.data_wait, a.teacher_wait + b.teacher_wait,
          a.labelling + b.labelling};
}

struct StepRates {
  double images_per_second = 0;
  double data_wait = 0, teacher_wait = 0;  // shares of the time, 0..1
};

// How fast a training goes: over the steps since the last restart(), and over all steps of this process.
class StepMeter {
 public:
  explicit StepMeter(std::int64_t step) : first_step_(step), step_(step) {}  // steps done before this process

  double seconds(const TimeSpent& spent) const { return spent.training - spent_.training; }  // since restart()
  bool fresh() const { return step_ == first_step_; }                                        // not restarted yet
  StepRates rates(std::int64_t step, double images_per_step, const TimeSpent& spent) const;
  void restart(std::int64_t step, const TimeSpent& spent);
  // Seconds until `steps` are done, at the mean pace of this process. REQUIRES: step is larger than the first one's.
  double eta(std::int64_t step, std::int64_t steps, const TimeSpent& spent) const;

 private:
  std::int64_t first_step_, step_;
  TimeSpent spent_;
};

}  // namespace conclave
