#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ranks/process_group.h"
#include "student/options.h"
#include "student/trainer.h"

namespace conclave {

// What train and distill take: CONFIG [key=value …] [--resume] [--ranks N [--max-restarts K]].
struct RunCommand {
  std::string verb;
  std::string config;
  std::vector<std::string> overrides;
  bool resume = false;
  int ranks = 0;  // to start on this host; 0: as many as the environment says, this process being one of them
  int max_restarts = 0;
};

std::shared_ptr<RunCommand> add_run_options(CLI::App& verb);

// What a verb does, in each rank.
using RankAction = std::function<void(const RunOptions& options, ProcessGroup& ranks)>;

// Starts logging and the stop signals, reads the configuration and does the action: in this process, alone or as the
// rank that the environment says it is, or in so many local ranks where --ranks says so. A job that was started again
// resumes.
void run_in_ranks(RunCommand& command, const RankAction& action);

// Prints the coverage, checks that the test set can be read, warns of what it shares with the training and of options
// that decide nothing, makes (or, with resume, checks) the run folder and writes config.yaml into it where there is
// none: Trainer::run brings it up to date.
void prepare_run(const Trainer& trainer, const RunOptions& options, const RunCommand& command);

}  // namespace conclave
