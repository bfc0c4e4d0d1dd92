#include "teachers/admission.h"

#include <algorithm>

#include "core/join.h"

namespace conclave {
namespace {

std::string list(const std::vector<std::string>& names) {
  return std::string("[").append(join(names)).append("]");
}

std::string describe(const EngineOptions& engine) {
  return std::to_string(engine.threads) + (engine.threads == 1 ? " thread, " : " threads, ") +
         (engine.bf16 ? "bf16" : "float32") + (engine.channels_last ? ", channels-last" : ", channels-first");
}

std::optional<std::string> refuse(const OfferedTeacher& offered, const ExpectedTeacher& expected) {
  const std::string teacher = "teacher '" + offered.name + "' ";
  if (!expected.classes.empty() && expected.classes != offered.classes) {
    return teacher + "should have the classes " + list(expected.classes) + ", the worker's weights have " +
           list(offered.classes);
  }
  if (!expected.hash.empty() && expected.hash != offered.hash) {
    return teacher + "has the weights " + expected.hash.substr(0, 12) + "…, the worker has " +
           offered.hash.substr(0, 12) + "…: two workers of one teacher must use the same file";
  }
  if (expected.engine.threads != offered.engine.threads || expected.engine.bf16 != offered.engine.bf16 ||
      expected.engine.channels_last != offered.engine.channels_last) {
    return teacher + "computes with " + describe(expected.engine) + ", the worker with " + describe(offered.engine) +
           ": its answers would differ";
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> refuse(const Hello& hello, const std::vector<ExpectedTeacher>& expected,
                                  std::vector<int>& teachers) {
  teachers.clear();
  for (const OfferedTeacher& offered : hello.teachers) {
    const auto found = std::find_if(expected.begin(), expected.end(),
                                    [&](const ExpectedTeacher& teacher) { return teacher.name == offered.name; });
    if (found == expected.end()) {
      std::vector<std::string> names;
      for (const ExpectedTeacher& teacher : expected) names.push_back(teacher.name);
      return "this run has no teacher '" + offered.name + "'; it has " + list(names);
    }
    const int position = static_cast<int>(found - expected.begin());
    if (std::find(teachers.begin(), teachers.end(), position) != teachers.end()) {
      return "the worker names teacher '" + offered.name + "' twice";
    }
    if (std::optional<std::string> reason = refuse(offered, *found)) return reason;
    teachers.push_back(position);
  }
  return std::nullopt;
}

}  // namespace conclave
