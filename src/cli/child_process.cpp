#include "cli/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "core/error.h"
#include "core/stop.h"

extern char** environ;

namespace conclave {
namespace {

constexpr std::size_t kLastLines = 3;
constexpr const char* kParent = "CONCLAVE_PARENT";

std::vector<std::string> variables_of(const ChildProcess& child) {
  std::vector<std::string> variables;
  for (const auto& [name, value] : child.environment) variables.push_back(name + "=" + value);
  for (char** own = environ; *own != nullptr; ++own) {
    const std::string text = *own;
    const std::string name = text.substr(0, text.find('='));
    const bool replaced = std::any_of(child.environment.begin(), child.environment.end(),
                                      [&](const auto& variable) { return variable.first == name; });
    if (!replaced) variables.push_back(text);
  }
  return variables;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

pid_t start(const ChildProcess& described) {
  ChildProcess child = described;
  child.environment.emplace_back(kParent, std::to_string(::getpid()));
  std::vector<std::string> words = child.command, variables = variables_of(child);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (!child.log.empty()) {
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, child.log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  }
  if (child.socket >= 0) posix_spawn_file_actions_adddup2(&actions, child.socket, child.socket);  // no longer closed
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  pid_t pid = -1;
  const int failed = posix_spawn(&pid, words[0].c_str(), &actions, &attributes, pointers_to(words).data(),
                                 pointers_to(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) throw Error(std::string("can't start a process: ") + std::strerror(failed), words[0]);
  return pid;
}

void follow_parent() {
  const char* parent = std::getenv(kParent);
  if (parent == nullptr) return;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != std::atoi(parent)) request_stop();  // it died before that
}

std::string path_of_this_program() {
  return std::filesystem::read_symlink("/proc/self/exe").string();
}

std::string last_lines(const std::filesystem::path& log) {
  std::ifstream in(log);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
    if (lines.size() > kLastLines) lines.erase(lines.begin());
  }
  std::string text;
  for (const std::string& line : lines) text += "\n    " + line;
  return text;
}

}  // namespace conclave
