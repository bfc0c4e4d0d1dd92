#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "monitor/trace_file.h"

namespace conclave {

// Where the time of a loop goes: at every moment it is in one named phase. (enter* leave)*. Not thread-safe.
class Phases {
 public:
  explicit Phases(const Clock& clock) : clock_(clock) {}

  // The phase before ends here. `name` outlives this (a literal).
  void enter(const char* name);
  void leave();  // until the next enter() time is nobody's

  // From now on every phase is also a span in the file, until `last_step` is over.
  void record(TraceFile& file, std::int64_t last_step);
  void at_step(std::int64_t step) { step_ = step; }  // of the phases entered from now on

  double seconds(const std::string& name) const;  // spent in it so far
  // All phases in the order in which they first came, with their seconds.
  const std::vector<std::pair<std::string, double>>& all() const { return spent_; }

 private:
  const Clock& clock_;
  const char* name_ = nullptr;
  TimePoint begin_;
  std::int64_t begin_step_ = 0;
  std::vector<std::pair<std::string, double>> spent_;
  TraceFile* file_ = nullptr;
  std::int64_t step_ = 0, last_step_ = 0;
};

}  // namespace conclave
