#include "cli/task_runner.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <fstream>
#include <map>
#include <thread>

#include "core/error.h"
#include "core/file.h"
#include "core/join.h"
#include "core/log.h"
#include "core/stop.h"
#include "student/run_folder.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;
constexpr auto kPoll = std::chrono::milliseconds(50);

bool ended(TaskState state) {
  return state == TaskState::kDone || state == TaskState::kFailed || state == TaskState::kSkipped;
}

// A word as a shell reads it back.
std::string quoted(const std::string& word) {
  const auto plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || std::strchr("_-+=:,./@%", c); };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  std::string text = "'";
  for (const char c : word) {
    if (c == '\'') text += "'\\'";
    text += c;
  }
  return text + "'";
}

void begin_log(const ChildProcess& process) {
  fs::create_directories(process.log.parent_path());
  std::ofstream(process.log, std::ios::app) << shell_line(process) << '\n';
}

class Runner {
 public:
  Runner(std::vector<Task>& tasks, int slots, const TaskEvents& events)
      : tasks_(tasks), slots_(static_cast<std::size_t>(slots)), events_(events), told_(tasks.size(), false) {}

  // Whatever happens, no child is left to itself.
  ~Runner() { stop(); }

  void run() {
    for (;;) {
      if (stop_requested()) {
        stop();
        throw Error("stopped", {}, "start it again: it goes on where it was", Exit::kInterrupted);
      }
      skip_what_cannot_run();
      start_what_can();
      const bool waiting =
          std::any_of(tasks_.begin(), tasks_.end(), [](const Task& task) { return task.state == TaskState::kWaiting; });
      if (running_.empty() && !waiting) return;
      std::this_thread::sleep_for(kPoll);
      reap();
      if (events_.idle) events_.idle(now());
    }
  }

 private:
  double now() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

  void skip_what_cannot_run() {
    for (std::size_t t = 0; t < tasks_.size(); ++t) {
      Task& task = tasks_[t];
      if (task.state != TaskState::kWaiting) continue;
      for (const std::size_t before : task.after) {
        const TaskState state = tasks_[before].state;
        if (state != TaskState::kFailed && state != TaskState::kSkipped) continue;
        task.state = TaskState::kSkipped;
        task.failure = "it needs " + tasks_[before].name;
        if (events_.ended) events_.ended(t);
        break;
      }
    }
  }

  bool ready(const Task& task) const {
    return task.state == TaskState::kWaiting &&
           std::all_of(task.after.begin(), task.after.end(),
                       [&](std::size_t t) { return tasks_[t].state == TaskState::kDone; }) &&
           std::all_of(task.after_any.begin(), task.after_any.end(),
                       [&](std::size_t t) { return ended(tasks_[t].state); });
  }

  void start_what_can() {
    for (std::size_t t = 0; t < tasks_.size() && running_.size() < slots_; ++t) {
      Task& task = tasks_[t];
      if (!ready(task)) continue;
      try {
        if (!waits_for_another(t)) begin(t);
      } catch (const std::exception& error) {
        task.state = TaskState::kFailed;
        task.failure = std::string("could not be started: ") + error.what();
      }
      if (ended(task.state) && events_.ended) events_.ended(t);
    }
  }

  // What an earlier comparison started may still be leaving.
  bool waits_for_another(std::size_t t) {
    const Task& task = tasks_[t];
    if (!task.folder.empty() && somebody_trains_in(task.folder)) {
      if (!told_[t]) log::info("{}: waits for a process that still trains in {}", task.name, task.folder.string());
      told_[t] = true;
      return true;
    }
    if (told_[t] && events_.waited) events_.waited(t);
    return task.state != TaskState::kWaiting;
  }

  void begin(std::size_t t) {
    Task& task = tasks_[t];
    begin_log(task.process);
    running_[start(task.process)] = t;
    task.state = TaskState::kRunning;
    task.started = now();
    if (events_.started) events_.started(t);
  }

  void reap() {
    for (auto it = running_.begin(); it != running_.end();) {
      int status = 0;
      if (waitpid(it->first, &status, WNOHANG) != it->first) {
        ++it;
        continue;
      }
      const std::size_t t = it->second;
      it = running_.erase(it);
      finish(tasks_[t], status);
      if (events_.ended && !stop_requested()) events_.ended(t);
    }
  }

  void finish(Task& task, int status) {
    task.seconds = now() - task.started;
    task.code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    const bool well = WIFEXITED(status) && task.code == 0;
    std::string how = WIFSIGNALED(status) ? "was killed by signal " + std::to_string(WTERMSIG(status))
                      : well              ? "left no " + task.marker.string()
                                          : "ended with code " + std::to_string(task.code);
    try {
      if (well && task.folder.empty()) write_file_atomically(task.marker, task.name + "\n");
    } catch (const Error& error) {
      how = std::string("ended well, but that can't be kept: ") + error.what();
    }
    task.state = well && fs::exists(task.marker) ? TaskState::kDone : TaskState::kFailed;
    if (task.state == TaskState::kDone) return;
    task.failure = how + "; the end of " + task.process.log.string() + ":" + last_lines(task.process.log);
  }

  void stop() {
    for (const auto& [pid, t] : running_) kill(pid, SIGTERM);
    for (const auto& [pid, t] : running_) {
      int status = 0;
      while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
      }
      try {
        finish(tasks_[t], status);  // one that ended well all the same is done
      } catch (const std::exception& error) {
        log::error("{}: {}", tasks_[t].name, error.what());
      }
    }
    running_.clear();
  }

  std::vector<Task>& tasks_;
  std::size_t slots_;
  const TaskEvents& events_;
  std::vector<bool> told_;
  std::map<pid_t, std::size_t> running_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace

int count(const std::vector<Task>& tasks, TaskState state) {
  return static_cast<int>(
      std::count_if(tasks.begin(), tasks.end(), [&](const Task& task) { return task.state == state; }));
}

std::string shell_line(const ChildProcess& process) {
  std::vector<std::string> words;
  for (const auto& [name, value] : process.environment) words.push_back(name + "=" + quoted(value));
  for (const std::string& word : process.command) words.push_back(quoted(word));
  return join(words, " ");
}

void run_tasks(std::vector<Task>& tasks, int slots, const TaskEvents& events) {
  Runner(tasks, slots, events).run();
}

}  // namespace conclave
