#pragma once

#include <cstddef>
#include <vector>

namespace conclave {

// A task as far as time goes.
struct TimedTask {
  double seconds = 0;  // it takes from now on
  bool running = false, ended = false;
  std::vector<std::size_t> after;  // tasks that must have ended before it starts
};

// Seconds until all have ended, when each starts as soon as it may and one of `slots` places is free, in order: as
// run_tasks does. Tasks that wait for each other in a circle are left out.
double time_of_schedule(std::vector<TimedTask> tasks, int slots);

}  // namespace conclave
