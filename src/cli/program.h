#pragma once

#include <string>
#include <vector>

namespace conclave {

// The whole command line: parses, runs one command, prints errors to stderr, returns the process's exit code
// (core/error.h).
int run_program(int argc, char** argv);

// Why the words after `conclave` are no command line; empty where they are one. Runs nothing.
std::string why_no_command(const std::vector<std::string>& words);

}  // namespace conclave
