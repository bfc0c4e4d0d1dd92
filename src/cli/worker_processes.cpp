#include "cli/worker_processes.h"

#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <mutex>
#include <thread>

#include "cli/child_process.h"
#include "cli/config_teacher.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/stop.h"
#include "teachers/curve.h"

namespace conclave {
namespace {

constexpr int kMaxQuickDeaths = 5;         // in a row
constexpr std::chrono::seconds kQuick{2};  // a worker that lived no longer died quickly

struct Child {
  std::string teacher;
  ChildProcess process;
  pid_t pid = -1;  // -1: ended for good
  std::chrono::steady_clock::time_point started = {};
  int quick_deaths = 0;
};

// How a local worker is told its keys: by path, for a command line is there for all to see.
std::vector<std::string> key_arguments(const TrainerKeys& keys, const std::filesystem::path& folder) {
  if (keys.secret.empty()) return {};
  const std::filesystem::path trainer = folder / "trainer.pub";
  write_public_key(trainer, load_key_pair(keys.secret).public_key);
  return {"--key", keys.secret, "--trainer-key", trainer.string()};
}

// How a local worker is told who it is: by name and weights where they say all, else by a file that does.
std::vector<std::string> teacher_arguments(const TeacherOptions& teacher, const std::filesystem::path& folder) {
  const bool plain = type_of(teacher.weights) == TeacherFileType::kOwn && teacher.format == TeacherFormat{};
  if (plain) return {"--name", teacher.name, "--weights", teacher.weights};
  const std::filesystem::path file = folder / (teacher.name + ".yaml");
  write_file_atomically(file, teacher_file_text(teacher));
  return {"--teacher", file.string()};
}

}  // namespace

struct WorkerProcesses::State {
  mutable std::mutex mutex;
  std::vector<Child> children;  // guarded by mutex
  std::string failure;          // guarded by mutex
  bool stopping = false;        // guarded by mutex
  std::thread watcher;

  // Also when a later worker can't be started: none is left behind.
  ~State() {
    {
      std::lock_guard lock(mutex);
      stopping = true;
    }
    if (watcher.joinable()) watcher.join();
    for (const Child& child : children) {
      if (child.pid > 0) kill(child.pid, SIGTERM);
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (Child& child : children) {
      int status = 0;
      while (child.pid > 0 && waitpid(child.pid, &status, WNOHANG) == 0) {
        if (std::chrono::steady_clock::now() > deadline) kill(child.pid, SIGKILL);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    }
  }

  void watch() {
    for (;;) {
      {
        std::lock_guard lock(mutex);
        if (stopping) return;
        for (Child& child : children) look_at(child);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }

  bool restart(Child& child) {
    try {
      child.started = std::chrono::steady_clock::now();
      child.pid = start(child.process);
      return true;
    } catch (const Error& error) {
      log::error("{}", error.what());
      return false;
    }
  }

  // REQUIRES: mutex held.
  void look_at(Child& child) {
    int status = 0;
    if (child.pid < 0 || waitpid(child.pid, &status, WNOHANG) != child.pid) return;
    const pid_t ended = child.pid;
    child.pid = -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;  // the trainer said goodbye
    const auto now = std::chrono::steady_clock::now();
    child.quick_deaths = now - child.started < kQuick ? child.quick_deaths + 1 : 0;
    if (WIFSIGNALED(status) && child.quick_deaths < kMaxQuickDeaths && restart(child)) {
      log::warn("worker {} of teacher {} was killed by signal {}; started again as {}", ended, child.teacher,
                WTERMSIG(status), child.pid);
      return;
    }
    log::warn("worker {} of teacher {} ended with {}; its log is {}", ended, child.teacher,
              WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                  : "code " + std::to_string(WEXITSTATUS(status)),
              child.process.log.string());
    for (const Child& other : children) {
      if (other.teacher == child.teacher && other.pid >= 0) return;
    }
    failure = "teacher " + child.teacher + " has no worker left; the last one said:" + last_lines(child.process.log);
    request_stop();
  }
};

WorkerProcesses::WorkerProcesses(const std::vector<TeacherOptions>& teachers, const std::string& address,
                                 std::filesystem::path folder, const TrainerKeys& keys)
    : state_(std::make_unique<State>()) {
  std::filesystem::create_directories(folder);
  const std::string program = path_of_this_program();
  const std::vector<std::string> key_words = key_arguments(keys, folder);
  for (const TeacherOptions& teacher : teachers) {
    for (int i = 0; i < teacher.workers; ++i) {
      Child child;
      child.teacher = teacher.name;
      child.process.command = {program,     "teach",
                               "--connect", address,
                               "--threads", std::to_string(teacher.engine.threads),
                               "--device",  teacher.engine.device};
      const std::vector<std::string> who = teacher_arguments(teacher, folder);
      child.process.command.insert(child.process.command.end(), who.begin(), who.end());
      if (teacher.engine.bf16) child.process.command.push_back("--bf16");
      if (teacher.engine.channels_last) child.process.command.push_back("--channels-last");
      child.process.command.insert(child.process.command.end(), key_words.begin(), key_words.end());
      child.process.log = folder / (teacher.name + "-" + std::to_string(i) + ".log");
      child.started = std::chrono::steady_clock::now();
      child.pid = start(child.process);
      log::info("teacher {}: started worker {} (log {})", teacher.name, child.pid, child.process.log.string());
      state_->children.push_back(std::move(child));
    }
  }
  state_->watcher = std::thread([this] { state_->watch(); });
}

WorkerProcesses::~WorkerProcesses() = default;

std::string WorkerProcesses::failure() const {
  std::lock_guard lock(state_->mutex);
  return state_->failure;
}

}  // namespace conclave
