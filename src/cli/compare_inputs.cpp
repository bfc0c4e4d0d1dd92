#include "cli/compare_inputs.h"

#include <algorithm>
#include <span>

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/real_path.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kLargestFile = std::size_t{16} << 30;
constexpr std::size_t kHashDigits = 16;

}  // namespace

std::string out_of(const std::vector<std::string>& words) {
  const std::string suffix = !words.empty() && words[0] == "keys" ? ".pub" : "";
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--out" && i + 1 < words.size()) return words[i + 1] + suffix;
    if (words[i].starts_with("--out=")) return words[i].substr(6) + suffix;
  }
  return {};
}

MadeFiles::MadeFiles(const std::vector<PlannedTask>& tasks) {
  for (const PlannedTask& task : tasks) {
    const std::string out = task.folder.empty() ? task.out.string() : task.folder.string();
    if (!out.empty()) {
      made_.push_back(real_path(out));
    } else if (!task.words.empty() && task.words[0] != "data") {
      anything_ = true;
    }
  }
}

bool MadeFiles::holds(const fs::path& file) const {
  const std::string path = real_path(file);
  return std::any_of(made_.begin(), made_.end(), [&](const std::string& made) { return lies_in(path, made); });
}

bool lies_in(const std::string& path, const std::string& folder) {
  return path == folder || path.rfind(folder + "/", 0) == 0;
}

std::vector<fs::path> inputs_of(const RunOptions& options) {
  std::vector<fs::path> inputs;
  const auto add = [&](const std::string& path) {
    if (!path.empty()) inputs.emplace_back(path);
  };
  const auto add_set = [&](const DatasetOptions& set) {
    add(set.images);
    add(set.annotations);
  };
  for (const DatasetOptions& set : options.train) add_set(set);
  add_set(options.val);
  add_set(options.test);
  add(options.training.init);
  if (!needs_teachers(options.fusion.method)) return inputs;
  for (const TeacherOptions& teacher : options.teachers) add(teacher.weights);
  return inputs;
}

void check_inputs(const ComparePlan& plan) {
  const MadeFiles made(plan.tasks);
  std::map<std::string, std::string> missing;  // who wants it first
  for (const PlannedTask& task : plan.tasks) {
    if (!task.options || task.done()) continue;
    for (const fs::path& input : inputs_of(*task.options)) {
      if (!fs::exists(input) && !made.may_hold(input)) missing.try_emplace(input.string(), task.name);
    }
  }
  if (missing.empty()) return;
  std::string text;
  for (const auto& [path, task] : missing) text += "\n  " + task + " reads " + path;
  throw Error("files that are not there, and that no step under prepare makes:" + text, plan.options.file,
              "mend the paths, or the variables in them", Exit::kUsage);
}

CompareFacts input_facts(const ComparePlan& plan) {
  const MadeFiles made(plan.tasks);
  CompareFacts facts;
  for (const PlannedTask& task : plan.tasks) {
    std::vector<fs::path> inputs;
    if (task.options) {
      inputs = inputs_of(*task.options);
    } else {
      inputs.assign(task.words.begin(), task.words.end());  // those that are files
    }
    for (const fs::path& input : inputs) {
      const std::string key = "file " + input.string();
      if (facts.contains(key) || !fs::is_regular_file(input) || made.holds(input)) continue;
      const std::string content = read_file(input, kLargestFile);
      facts[key] = sha256(std::as_bytes(std::span(content))).substr(0, kHashDigits);
    }
  }
  return facts;
}

}  // namespace conclave
