#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/config_node.h"

namespace conclave {

// "a.b=c" for a run's configuration, and where it was written.
struct PlacedOverride {
  std::string text;
  ConfigPlace place;
};

// What comes before the methods' runs: a command of this program, or a training.
struct PrepareStep {
  std::string name;
  ConfigPlace place;
  std::vector<std::string> command;  // data split …; empty: a training
  std::string train;                 // its configuration
  std::vector<PlacedOverride> set;   // on top of it
  bool each_seed = false;            // once for every seed, else once
  std::vector<std::string> after;    // steps that it waits for, beside those that come by its kind
};

struct CompareMethod {
  std::string name;
  ConfigPlace place;
  std::string description;
  std::string config;               // a run's configuration
  std::vector<PlacedOverride> set;  // on top of it
  int seed_shift = 0;               // added to the seed of its runs: an A/A test
  bool may_fail = false;            // its failed runs are reported, and the comparison still ends well
};

enum class BudgetKind {
  kBase,     // none was given: the configurations must agree
  kImages,   // so many images for every method
  kSeconds,  // so many seconds of training for every method
  kOwn       // each configuration its own
};

// compare.yaml. In environment, command and set, {run} and {seed} stand for the comparison's folder and the seed.
struct CompareOptions {
  std::string file;
  std::string name;
  std::string run;  // output folder
  std::vector<std::uint64_t> seeds;
  std::string baseline;      // a method
  std::string lower, upper;  // methods; empty: none
  BudgetKind budget = BudgetKind::kBase;
  std::int64_t images = 0;  // kImages
  double seconds = 0;       // kSeconds
  int slots = 1;            // processes side by side
  bool share_views = false;
  std::vector<std::pair<std::string, std::string>> environment;  // of every step and run
  std::vector<PrepareStep> prepare;
  std::vector<CompareMethod> methods;
};

// Reads and checks what the file says by itself; the configurations that it names are not looked at. Throws Error
// (Exit::kUsage) that lists everything wrong with it, each with file:line:column.
CompareOptions read_compare_options(const std::string& path, const std::vector<std::string>& overrides);

}  // namespace conclave
