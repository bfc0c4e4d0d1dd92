#include "cli/compare_schedule.h"

#include <algorithm>

namespace conclave {

double time_of_schedule(std::vector<TimedTask> tasks, int slots) {
  const auto free_to_start = [&](const TimedTask& task) {
    return !task.running && !task.ended &&
           std::all_of(task.after.begin(), task.after.end(), [&](std::size_t t) { return tasks[t].ended; });
  };
  for (double now = 0;;) {
    auto running = std::count_if(tasks.begin(), tasks.end(), [](const TimedTask& task) { return task.running; });
    for (auto task = tasks.begin(); task != tasks.end() && running < slots; ++task) {
      if (!free_to_start(*task)) continue;
      task->running = true;
      ++running;
    }
    if (running == 0) return now;
    double step = -1;
    for (const TimedTask& task : tasks) {
      if (task.running && (step < 0 || task.seconds < step)) step = task.seconds;
    }
    now += step;
    for (TimedTask& task : tasks) {
      if (!task.running) continue;
      task.seconds -= step;
      task.running = task.seconds > 0;
      task.ended = !task.running;
    }
  }
}

}  // namespace conclave
