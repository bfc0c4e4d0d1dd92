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
  int code = 0;                           // with which it ended; killed by a signal: 0
  std::string failure;                    // kFailed: how it ended and the last lines of its log; kSkipped: why
};

struct TaskEvents {
  std::function<void(std::size_t task)> started, ended;
  // Another process that trained in its folder has ended. May set the task's state: it is started only if it still
  // waits.
  std::function<void(std::size_t task)> waited;
  std::function<void(double now)> idle;  // several times a second; seconds since run_tasks() began
};

// How many are in this state.
int count(const std::vector<Task>& tasks, TaskState state);

// The process's variables and command as one line for a shell.
std::string shell_line(const ChildProcess& process);

// Runs what is waiting, in order, up to `slots` side by side, and returns when nothing more can run; a failure,
// also to start a process, stops only what comes after it. Each log gets the process's shell_line first. The children
// are those of the calling thread: they stop when it is gone, however it ends. When a stop is asked for (core/stop.h),
// the children are asked to, waited for, and Error (Exit::kInterrupted) is thrown.
void run_tasks(std::vector<Task>& tasks, int slots, const TaskEvents& events);

}  // namespace conclave
