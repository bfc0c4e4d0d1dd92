#pragma once

#include <ATen/Parallel.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "core/error.h"
#include "ranks/process_group.h"
#include "ranks/world.h"

extern char** environ;

namespace conclave {

// Runs a test's body in several processes, each a rank. The test starts itself again as many times as there are ranks
// (fork alone would share the threads that LibTorch has started); in each of these in_ranks() runs the body and ends
// the process. `expected[rank]` is the exit code that each must have: 0, or 1 where the body failed, or what it exits
// with.
class RankProcesses {
 public:
  static inline constexpr const char* kMarker = "CONCLAVE_TEST_IS_RANK";

  static bool inside() { return std::getenv(kMarker) != nullptr; }

  explicit RankProcesses(int size)
      : folder_(std::filesystem::temp_directory_path() / ("ranks-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
    const int port = free_port();
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    const std::string filter = std::string("--gtest_filter=") + test->test_suite_name() + "." + test->name();
    for (int rank = 0; rank < size; ++rank) {
      std::vector<std::string> variables = {std::string(kMarker) + "=1",
                                            "RANK=" + std::to_string(rank),
                                            "WORLD_SIZE=" + std::to_string(size),
                                            "LOCAL_RANK=" + std::to_string(rank),
                                            "LOCAL_WORLD_SIZE=" + std::to_string(size),
                                            "MASTER_ADDR=127.0.0.1",
                                            "MASTER_PORT=" + std::to_string(port)};
      for (char** own = environ; *own != nullptr; ++own) variables.emplace_back(*own);
      std::vector<char*> environment;
      for (std::string& variable : variables) environment.push_back(variable.data());
      environment.push_back(nullptr);
      std::string program = std::filesystem::read_symlink("/proc/self/exe").string(), argument = filter;
      std::vector<char*> arguments = {program.data(), argument.data(), nullptr};
      posix_spawn_file_actions_t actions;
      posix_spawn_file_actions_init(&actions);
      posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log(rank).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
      posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
      pid_t pid = -1;
      EXPECT_EQ(posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments.data(), environment.data()), 0);
      posix_spawn_file_actions_destroy(&actions);
      pids_.push_back(pid);
    }
  }

  // Waits for all. Exit codes; -signal where one was killed.
  std::vector<int> wait() {
    std::vector<int> codes;
    for (const pid_t pid : pids_) {
      int status = 0;
      ::waitpid(pid, &status, 0);
      codes.push_back(WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    }
    return codes;
  }

  std::string said(int rank) const {
    std::ifstream in(log(rank));
    return {std::istreambuf_iterator<char>(in), {}};
  }

  pid_t pid(int rank) const { return pids_[static_cast<std::size_t>(rank)]; }

  ~RankProcesses() { std::filesystem::remove_all(folder_); }

 private:
  std::filesystem::path log(int rank) const { return folder_ / std::to_string(rank); }

  static int free_port() {
    const int probe = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(probe, reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(probe);
    return ntohs(address.sin_port);
  }

  std::filesystem::path folder_;
  std::vector<pid_t> pids_;
};

// What `body` may end a rank with; a failed expectation ends it with 1.
using RankBody = std::function<void(ProcessGroup& group)>;

[[noreturn]] inline void run_as_rank(const RankBody& body, const RanksOptions& options) {
  at::set_num_threads(1);
  try {
    ProcessGroup group(world_of_this_process(), options, at::Device(at::kCPU));
    try {
      body(group);
      if (!::testing::Test::HasFailure()) group.finish();
    } catch (const Error& error) {
      group.fail(error.what());
      throw;
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    std::fflush(nullptr);
    std::_Exit(static_cast<int>(error.exit()));
  }
  std::fflush(nullptr);
  std::_Exit(::testing::Test::HasFailure() ? 1 : 0);
}

inline void in_ranks(int size, const RankBody& body, const RanksOptions& options = {}) {
  if (RankProcesses::inside()) run_as_rank(body, options);
  RankProcesses ranks(size);
  const std::vector<int> codes = ranks.wait();
  for (int rank = 0; rank < size; ++rank) {
    EXPECT_EQ(codes[static_cast<std::size_t>(rank)], 0) << "rank " << rank << " said:\n" << ranks.said(rank);
  }
}

}  // namespace conclave
