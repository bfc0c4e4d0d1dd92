#include "cli/worker_processes.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "core/log.h"
#include "core/stop.h"

extern char** environ;

namespace conclave {
namespace {

constexpr int kMaxQuickDeaths = 5;         // in a row
constexpr std::chrono::seconds kQuick{2};  // a worker that lived no longer died quickly

struct Child {
  std::string teacher;
  std::vector<std::string> command;
  std::filesystem::path log;
  pid_t pid = -1;  // -1: ended for good
  std::chrono::steady_clock::time_point started = {};
  int quick_deaths = 0;
};

pid_t start(const Child& child) {
  std::vector<char*> argv;
  for (const std::string& word : child.command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, child.log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  // Its own process group: Ctrl-C goes to the trainer alone, which then stops its workers in order.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  pid_t pid = -1;
  const int failed = posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) throw Error(std::string("can't start a worker: ") + std::strerror(failed), child.command[0]);
  return pid;
}

std::string own_path() {
  return std::filesystem::read_symlink("/proc/self/exe").string();
}

std::string last_lines(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
    if (lines.size() > 3) lines.erase(lines.begin());
  }
  std::string text;
  for (const std::string& line : lines) text += "\n    " + line;
  return text;
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
      child.pid = start(child);
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
              child.log.string());
    for (const Child& other : children) {
      if (other.teacher == child.teacher && other.pid >= 0) return;
    }
    failure = "teacher " + child.teacher + " has no worker left; the last one said:" + last_lines(child.log);
    request_stop();
  }
};

WorkerProcesses::WorkerProcesses(const std::vector<TeacherOptions>& teachers, const std::string& address,
                                 std::filesystem::path folder)
    : state_(std::make_unique<State>()) {
  std::filesystem::create_directories(folder);
  const std::string program = own_path();
  for (const TeacherOptions& teacher : teachers) {
    for (int i = 0; i < teacher.workers; ++i) {
      Child child;
      child.teacher = teacher.name;
      child.command = {program,     "teach",
                       "--connect", address,
                       "--name",    teacher.name,
                       "--weights", teacher.weights,
                       "--threads", std::to_string(teacher.engine.threads),
                       "--device",  teacher.engine.device};
      if (teacher.engine.bf16) child.command.push_back("--bf16");
      if (teacher.engine.channels_last) child.command.push_back("--channels-last");
      child.log = folder / (teacher.name + "-" + std::to_string(i) + ".log");
      child.started = std::chrono::steady_clock::now();
      child.pid = start(child);
      log::info("teacher {}: started worker {} (log {})", teacher.name, child.pid, child.log.string());
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
