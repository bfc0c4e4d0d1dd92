#include "export/outside_program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "core/file.h"

extern char** environ;

namespace conclave {
namespace {

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;

  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

}  // namespace

ProgramEnd run_program(std::vector<std::string> command, const std::filesystem::path& folder) {
  // A relative path is seen from here, not from the folder.
  if (command[0].find('/') != std::string::npos) command[0] = std::filesystem::absolute(command[0]).string();
  const std::filesystem::path log = folder / (".output-" + std::to_string(getpid()));
  FileActions actions;
  posix_spawn_file_actions_addopen(actions.get(), 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(actions.get(), 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(actions.get(), 1, 2);
  posix_spawn_file_actions_addchdir_np(actions.get(), folder.c_str());
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int problem = posix_spawnp(&child, arguments[0], actions.get(), nullptr, arguments.data(), environ);
  if (problem == ENOENT) return {.found = false, .code = 127, .said = {}};
  if (problem != 0) throw Error(std::string("can't be started: ") + std::strerror(problem), command[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ProgramEnd end;
  end.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  end.said = read_file(log);
  std::filesystem::remove(log);
  return end;
}

}  // namespace conclave
