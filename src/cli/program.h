#pragma once

namespace conclave {

// The whole command line: parses, runs one command, prints errors to stderr, returns the process's exit code
// (core/error.h).
int run_program(int argc, char** argv);

}  // namespace conclave
