#include "cli/compare_unseen.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <unordered_set>

#include "core/error.h"
#include "datasets/image_files.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

bool is_there(const DatasetOptions& set) {
  return !set.name.empty() &&
         (set.annotations.empty() ? fs::is_directory(set.images) : fs::is_regular_file(set.annotations));
}

class Unseen {
 public:
  Unseen(const DatasetOptions& test, ConfigErrors& errors) : errors_(errors) {
    const std::vector<std::string> files = image_files(test);
    test_.insert(files.begin(), files.end());
  }

  void check(const PlannedTask& task) {
    for (const DatasetOptions& set : task.options->train) check(task, set, " trains on ");
    check(task, task.options->val, " chooses its weights on ");
  }

 private:
  void check(const PlannedTask& task, const DatasetOptions& set, const std::string& does) {
    const std::size_t seen = is_there(set) ? in_test(set) : 0;
    if (seen == 0) return;
    const std::string kind = task.name.substr(0, task.name.find(','));  // once for all seeds
    if (!told_.insert(kind + does + set.name).second) return;
    errors_.add({task.words[1], 0, 0}, kind + does + std::to_string(seen) + " of the " + std::to_string(test_.size()) +
                                           " images of data.test: its set " + set.name + " has them, too");
  }

  std::size_t in_test(const DatasetOptions& set) {
    const std::string key = set.images + "\n" + set.annotations + "\n" + std::to_string(set.limit);
    const auto known = seen_.find(key);
    if (known != seen_.end()) return known->second;
    const std::vector<std::string> files = image_files(set);
    const auto count =
        std::count_if(files.begin(), files.end(), [&](const std::string& file) { return test_.contains(file); });
    return seen_[key] = static_cast<std::size_t>(count);
  }

  ConfigErrors& errors_;
  std::unordered_set<std::string> test_;
  std::map<std::string, std::size_t> seen_;  // by set
  std::set<std::string> told_;
};

}  // namespace

void check_test_is_unseen(const std::vector<PlannedTask>& tasks, const DatasetOptions& test, ConfigErrors& errors) {
  if (!is_there(test)) return;  // told elsewhere, or made by a step
  Unseen unseen(test, errors);
  for (const PlannedTask& task : tasks) {
    if (task.options) unseen.check(task);
  }
}

}  // namespace conclave
