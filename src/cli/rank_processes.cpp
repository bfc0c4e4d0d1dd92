#include "cli/rank_processes.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>

#include "cli/child_process.h"
#include "core/error.h"
#include "core/log.h"
#include "core/stop.h"

namespace conclave {
namespace {

using Clock = std::chrono::steady_clock;

// After a rank failed, the others find out by themselves; what has not left by then is asked to, then made to.
constexpr std::chrono::seconds kToLeave{20}, kToStop{10};

// Where the ranks of this host meet: a port that is already ours, so that nobody else can take it.
class MeetingPoint {
 public:
  MeetingPoint() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    auto* address = reinterpret_cast<sockaddr*>(&address_);
    if (socket_ < 0 || ::bind(socket_, address, size) != 0 || ::listen(socket_, SOMAXCONN) != 0 ||
        ::getsockname(socket_, address, &size) != 0) {
      throw Error(std::string("can't listen: ") + std::strerror(errno), "127.0.0.1");
    }
  }
  ~MeetingPoint() { ::close(socket_); }
  MeetingPoint(const MeetingPoint&) = delete;
  MeetingPoint& operator=(const MeetingPoint&) = delete;

  int socket() const { return socket_; }
  int port() const { return ntohs(address_.sin_port); }

 private:
  int socket_;
  sockaddr_in address_{};
};

struct Ending {
  int rank = 0;
  int code = 0, signal = 0;  // signal 0: it ended by itself

  bool well() const { return signal == 0 && code == 0; }
  // Not merely because another rank was lost, or all agreed to stop.
  bool own_reason() const {
    return signal != 0 || (code != static_cast<int>(Exit::kRankLost) && code != static_cast<int>(Exit::kInterrupted));
  }
  bool worth_a_restart() const {
    return signal != 0 || code == static_cast<int>(Exit::kFailure) || code == static_cast<int>(Exit::kRankLost);
  }
  Exit exit() const { return signal != 0 ? Exit::kRankLost : static_cast<Exit>(code); }
  std::string text() const {
    return "rank " + std::to_string(rank) +
           (signal != 0 ? " was killed by signal " + std::to_string(signal)
                        : " ended with code " + std::to_string(code));
  }
};

// All ranks, started once.
class Attempt {
 public:
  Attempt(const std::vector<std::string>& command, int ranks, const std::filesystem::path& folder) {
    const MeetingPoint meeting;
    for (int rank = 0; rank < ranks; ++rank) {
      ChildProcess child;
      child.command = command;
      if (rank > 0) child.log = folder / ("rank-" + std::to_string(rank) + ".log");
      const std::string own = std::to_string(rank), all = std::to_string(ranks);
      child.environment = {{"RANK", own},
                           {"WORLD_SIZE", all},
                           {"LOCAL_RANK", own},
                           {"LOCAL_WORLD_SIZE", all},
                           {"MASTER_ADDR", "127.0.0.1"},
                           {"MASTER_PORT", std::to_string(meeting.port())},
                           {"CONCLAVE_STORE_SOCKET", rank == 0 ? std::to_string(meeting.socket()) : ""}};
      if (rank == 0) child.socket = meeting.socket();
      pids_.push_back(start(child));
      if (rank > 0) log::info("rank {}: process {}, log {}", rank, pids_.back(), child.log.string());
    }
  }

  ~Attempt() {
    signal_all(SIGKILL);
    for (const pid_t pid : pids_) {
      if (pid > 0) ::waitpid(pid, nullptr, 0);
    }
  }

  // How all of them ended; first those that ended first.
  std::vector<Ending> wait() {
    std::vector<Ending> endings;
    std::optional<Clock::time_point> failed;
    bool told = false, asked = false;
    while (endings.size() < pids_.size()) {
      for (std::size_t rank = 0; rank < pids_.size(); ++rank) {
        int status = 0;
        if (pids_[rank] < 0 || ::waitpid(pids_[rank], &status, WNOHANG) != pids_[rank]) continue;
        pids_[rank] = -1;
        endings.push_back({static_cast<int>(rank), WIFEXITED(status) ? WEXITSTATUS(status) : 0,
                           WIFSIGNALED(status) ? WTERMSIG(status) : 0});
        if (!endings.back().well() && !failed) failed = Clock::now();
      }
      if (stop_requested() && !told) {
        told = true;
        signal_all(SIGTERM);
      }
      if (failed && !asked && Clock::now() - *failed > kToLeave) {
        asked = true;
        signal_all(SIGTERM);
      }
      if (failed && Clock::now() - *failed > kToLeave + kToStop) signal_all(SIGKILL);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return endings;
  }

 private:
  void signal_all(int signal) {
    for (const pid_t pid : pids_) {
      if (pid > 0) ::kill(pid, signal);
    }
  }

  std::vector<pid_t> pids_;  // by rank; -1: ended
};

// The ending that explains the others; nothing when all is well.
std::optional<Ending> cause_of(const std::vector<Ending>& endings) {
  std::optional<Ending> cause;
  for (const Ending& ending : endings) {
    if (ending.well()) continue;
    if (!cause || (!cause->own_reason() && ending.own_reason())) cause = ending;
  }
  return cause;
}

}  // namespace

void run_ranks(const std::vector<std::string>& command, int ranks, int max_restarts,
               const std::filesystem::path& folder) {
  if (std::getenv("RANK") != nullptr || std::getenv("SLURM_STEP_NUM_TASKS") != nullptr) {
    throw Error("this process is a rank already", "--ranks",
                "torchrun and srun start the ranks themselves: leave --ranks out", Exit::kUsage);
  }
  std::filesystem::create_directories(folder);
  std::vector<std::string> words = command;
  for (int restarts = 0;; ++restarts) {
    const std::optional<Ending> cause = cause_of(Attempt(words, ranks, folder).wait());
    if (!cause) return;
    const auto rank_log = folder / ("rank-" + std::to_string(cause->rank) + ".log");
    const std::string said = cause->rank > 0 && cause->signal == 0 ? "; it said:" + last_lines(rank_log) : "";
    if (stop_requested() || !cause->worth_a_restart() || restarts == max_restarts) {
      throw Error(cause->text() + said, folder.string(),
                  cause->worth_a_restart() ? "go on with --resume; --max-restarts N does so by itself" : "",
                  cause->exit());
    }
    log::warn("{}{}; all {} ranks start again from the newest checkpoint ({} of {} restarts)", cause->text(), said,
              ranks, restarts + 1, max_restarts);
    if (std::find(words.begin(), words.end(), "--resume") == words.end()) words.push_back("--resume");
  }
}

}  // namespace conclave
