#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace conclave {

// A program to start beside this one.
struct ChildProcess {
  std::vector<std::string> command;                              // the first word is the program's path
  std::filesystem::path log;                                     // what it says is added there; empty: where ours goes
  std::vector<std::pair<std::string, std::string>> environment;  // set on top of ours
  int socket = -1;                                               // stays open in it; -1: none
};

// Starts it without input and in a process group of its own: Ctrl-C comes to this process alone, which then stops its
// children in order. Throws Error.
pid_t start(const ChildProcess& child);

// In a process that start() started: it is asked to stop when the thread that started it is gone, however that ended.
// Call once, early; does nothing in other processes.
void follow_parent();

// This program's own file.
std::string path_of_this_program();

// The last lines of a log, indented, for an error message.
std::string last_lines(const std::filesystem::path& log);

}  // namespace conclave
