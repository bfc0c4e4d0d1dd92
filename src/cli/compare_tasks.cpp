#include "cli/compare_tasks.h"

#include <algorithm>

#include "cli/compare_names.h"
#include "cli/finished_training.h"
#include "core/error.h"
#include "core/file.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kLargestFailure = std::size_t{1} << 20;

// In the run's folder: moved away with it, it is forgotten.
fs::path divergence_of(const PlannedTask& task) {
  return task.folder / "diverged.txt";
}

bool diverged_before(const PlannedTask& task) {
  return task.may_fail && !task.done() && fs::exists(divergence_of(task)) && against_its_folder(task).empty();
}

// By task: it is not done, and is a run or a probe or one of those needs it. A task comes after what it needs.
std::vector<bool> needed(const ComparePlan& plan, const std::vector<Task>& tasks) {
  std::vector<bool> needed(tasks.size(), false);
  for (const auto* goals : {&plan.probes, &plan.runs}) {
    for (const std::size_t t : *goals) needed[t] = true;
  }
  for (std::size_t t = tasks.size(); t-- > 0;) {
    needed[t] = needed[t] && tasks[t].state == TaskState::kWaiting;
    if (!needed[t]) continue;
    for (const std::size_t before : tasks[t].after) needed[before] = true;
  }
  return needed;
}

}  // namespace

std::vector<Task> tasks_of(const ComparePlan& plan) {
  static const std::string program = path_of_this_program();  // once: another build may come to lie there
  std::vector<Task> tasks;
  for (const PlannedTask& planned : plan.tasks) {
    Task task;
    task.name = planned.name;
    task.process.command = {program};
    task.process.command.insert(task.process.command.end(), planned.words.begin(), planned.words.end());
    task.process.log = planned.log;
    task.process.environment = planned.environment;
    task.folder = planned.folder;
    task.marker = planned.marker;
    task.after = planned.after;
    task.after_any = planned.after_any;
    if (planned.done()) {
      task.state = TaskState::kDone;
    } else if (diverged_before(planned)) {
      task.state = TaskState::kFailed;
      task.failure = read_file(divergence_of(planned), kLargestFailure);
    }
    tasks.push_back(std::move(task));
  }
  const std::vector<bool> to_run = needed(plan, tasks);
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    if (tasks[t].state == TaskState::kWaiting && !to_run[t]) tasks[t].state = TaskState::kDone;
  }
  return tasks;
}

std::string against_its_folder(const PlannedTask& task) {
  const ScopedEnvironment scope(task.environment);
  std::vector<std::string> overrides(task.words.begin() + 2, task.words.end());
  std::erase(overrides, "--resume");
  return not_the_training(task.folder, task.words[1], overrides);
}

void keep_divergence(const PlannedTask& planned, const Task& task) {
  if (planned.may_fail && task.code == static_cast<int>(Exit::kDiverged)) {
    write_file_atomically(divergence_of(planned), task.failure);
  }
}

}  // namespace conclave
