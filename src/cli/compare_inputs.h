#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/compare_plan.h"

namespace conclave {

// What the steps of a plan write: the folders of its trainings and what commands name as --out. A command that names
// none, other than `data`, may write anything.
class MadeFiles {
 public:
  explicit MadeFiles(const std::vector<PlannedTask>& tasks);

  bool holds(const std::filesystem::path& file) const;  // for sure
  bool may_hold(const std::filesystem::path& file) const { return anything_ || holds(file); }

 private:
  std::vector<std::string> made_;
  bool anything_ = false;
};

// Whether a path is another one or lies below it. REQUIRES: both are real.
bool lies_in(const std::string& path, const std::string& folder);

// What a command is told to make, by its words: --out PATH or --out=PATH (of keys PATH.pub); else empty.
std::string out_of(const std::vector<std::string>& words);

// The files and folders that a training reads: its sets, what it starts from, its teachers' weights.
std::vector<std::filesystem::path> inputs_of(const RunOptions& options);

// Throws Error (Exit::kUsage) that names every input that is not there and that no step makes.
void check_inputs(const ComparePlan& plan);

// "file PATH": the content's hash, of every annotations and weights file that no step makes, and of every file that
// a command names. REQUIRES: check_inputs().
CompareFacts input_facts(const ComparePlan& plan);

}  // namespace conclave
