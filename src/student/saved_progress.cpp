#include "student/saved_progress.h"

#include <cstdlib>
#include <utility>

namespace conclave {
namespace {

constexpr std::pair<const char*, double TimeSpent::*> kSeconds[] = {{"seconds", &TimeSpent::training},
                                                                    {"seconds.data_wait", &TimeSpent::data_wait},
                                                                    {"seconds.teacher_wait", &TimeSpent::teacher_wait},
                                                                    {"seconds.labelling", &TimeSpent::labelling}};

}  // namespace

void put_progress(const SavedProgress& progress, RunFacts& metadata) {
  metadata["evaluated"] = std::to_string(progress.evaluated);
  metadata["validation"] = progress.validation;
  for (const auto& [key, part] : kSeconds) metadata[key] = std::to_string(progress.spent.*part);
}

SavedProgress take_progress(RunFacts metadata, const RunFacts& facts, const std::string& where) {
  const auto take = [&](const char* key) {
    const auto found = metadata.extract(key);
    return found.empty() ? std::string() : found.mapped();
  };
  SavedProgress progress;
  progress.evaluated = std::strtoll(take("evaluated").c_str(), nullptr, 10);
  progress.validation = take("validation");
  for (const auto& [key, part] : kSeconds) progress.spent.*part = std::strtod(take(key).c_str(), nullptr);
  check_same_run(metadata, facts, where);
  return progress;
}

}  // namespace conclave
