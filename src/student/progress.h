#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "core/clock.h"

namespace conclave {

struct ProgressState {
  std::int64_t step = 0, steps = 0;
  double loss = 0, lr = 0;
  double images_per_second = 0;
  double data_wait = 0, teacher_wait = 0;  // shares of the time, 0..1
  double eta = 0;                          // seconds
};

// "1:54", "2:03:04"; "-" for what is no duration.
std::string duration_text(double seconds);

// "step 120/1000  loss 2.314  lr 2.0e-03  64.1 img/s  data 1 %  teacher 12 %  ETA 1:54"
std::string to_text(const ProgressState& state);

// Shows where a training is on a stream: rewritten in place on a terminal, else a line every few seconds.
class Progress {
 public:
  Progress(std::FILE* stream, bool terminal, const Clock& clock);
  ~Progress();  // ends the line

  // Call every step: shows when it is time, or always for the last step.
  void show(const ProgressState& state);
  // Call before something else writes to the terminal.
  void clear();

 private:
  std::FILE* stream_;
  bool terminal_;
  const Clock& clock_;
  TimePoint next_;
  bool open_ = false;  // a line without end is on the terminal
};

}  // namespace conclave
