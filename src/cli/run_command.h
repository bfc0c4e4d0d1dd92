#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "student/options.h"
#include "student/trainer.h"

namespace conclave {

// What train and distill take: CONFIG [key=value …] [--resume].
struct RunCommand {
  std::string config;
  std::vector<std::string> overrides;
  bool resume = false;
};

std::shared_ptr<RunCommand> add_run_options(CLI::App& verb);

// Reads the configuration; starts logging and the stop signals.
RunOptions read_run(const RunCommand& command);

// Prints the coverage, makes (or, with resume, checks) the run folder and writes config.yaml and env.json into it.
void prepare_run(const Trainer& trainer, const RunOptions& options, const RunCommand& command);

}  // namespace conclave
