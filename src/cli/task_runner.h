#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cli/child_process.h"

namespace conclave {

enum class TaskState { kWaiting, kRunning, kDone, kFailed, kSkipped };

// A child process that has to end well.
struct Task {
  std::string name;
  ChildProcess process;
  std::filesystem::path folder;           // of a training: it waits while another process trains there; empty: none
  std::filesystem::path marker;           // there is one once it is done
  std::vector<std::size_t> after;         // tasks that must be done; when one is not, this one is skipped
  std::vector<std::size_t> after_any;     // tasks that must have ended
  TaskState state = TaskState::kWaiting;  // kDone from the start: nothing to do
  double started = 0, seconds = 0;        // since run_tasks() began; how long it ran
  std::string failure;                    // kFailed: how it ended and the last lines of its log; kSkipped: why
};

struct TaskEvents {
  std::function<void(std::size_t task)> started, ended;
  std::function<void(double now)> idle;  // several times a second; seconds since run_tasks() began
};

// Runs what is waiting, in order, up to `slots` side by side, and returns when nothing more can run; a failure stops
// only what comes after it. The children are those of the calling thread: they stop when it is gone, however it ends.
// When a stop is asked for (core/stop.h), the children are asked to, waited for, and Error (Exit::kInterrupted) is
// thrown.
void run_tasks(std::vector<Task>& tasks, int slots, const TaskEvents& events);

}  // namespace conclave
