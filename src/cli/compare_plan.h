#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/compare_facts.h"
#include "cli/config_compare.h"
#include "student/options.h"

namespace conclave {

// Something that a comparison runs: a process of this program.
struct PlannedTask {
  std::string name;                                              // "kd, seed 0"
  std::vector<std::string> words;                                // verb, configuration, overrides
  std::vector<std::pair<std::string, std::string>> environment;  // on top of ours
  std::filesystem::path log;
  std::filesystem::path folder;        // of a training, else empty
  std::filesystem::path marker;        // there is one once it is done; of a training: result.json
  std::filesystem::path out;           // what a command makes, where it says so (--out)
  std::optional<RunOptions> options;   // of a training
  std::vector<std::size_t> after;      // tasks that must have succeeded
  std::vector<std::size_t> after_any;  // tasks that must have ended
  bool recorded = false;               // what it asks of teachers is stored by then
  bool may_fail = false;               // a failure is told, but is none of the comparison's

  // A training writes its report last; what a command made may have been removed.
  bool done() const {
    return std::filesystem::exists(marker) && (folder.empty() || std::filesystem::exists(folder / "report.html")) &&
           (out.empty() || std::filesystem::exists(out));
  }
};

// A comparison with every configuration resolved. Tasks are in the order in which they should start: steps for all
// seeds, then seed by seed its steps and its methods.
struct ComparePlan {
  CompareOptions options;
  std::filesystem::path folder;
  std::vector<std::string> classes;
  std::string lower, upper;  // as given, else the methods that are supervised by ignore and labels
  std::string budget;        // in words
  std::vector<PlannedTask> tasks;
  std::vector<std::size_t> probes;  // tasks, one per method, where the budget is time
  std::vector<std::size_t> runs;    // tasks, methods x seeds, methods outer
  CompareFacts facts;
};

// Training steps by method, where they come from a probe.
using MethodSteps = std::map<std::string, int>;

// Resolves and checks everything that can be wrong before a training starts: the configurations of all steps, methods
// and seeds, their classes, their test sets (the same for all, used for nothing else), their budgets, their folders,
// their teachers' weights (there, or made by a step), finished trainings of steps (configured as the step is). Throws
// Error (Exit::kUsage) that lists all of it by file:line:column. Touches nothing. Where the budget is time and `steps`
// is empty, the plan ends with the probes and has no runs.
ComparePlan plan_comparison(const CompareOptions& options, const MethodSteps& steps = {});

}  // namespace conclave
