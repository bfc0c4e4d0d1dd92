#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace conclave {

struct ProgramEnd {
  bool found = true;  // false: there is no such program
  int code = 0;       // its exit status; 128 + the signal that ended it
  std::string said;   // stdout and stderr
};

// Runs a program (a path as seen from here, or a name looked for in PATH) in this folder, without input, and waits for
// its end.
ProgramEnd run_program(std::vector<std::string> command, const std::filesystem::path& folder);

}  // namespace conclave
