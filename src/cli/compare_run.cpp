#include "cli/compare_run.h"

#include <algorithm>
#include <memory>

#include "cli/compare_estimate.h"
#include "cli/compare_inputs.h"
#include "cli/compare_probes.h"
#include "cli/compare_progress.h"
#include "cli/compare_tasks.h"
#include "core/join.h"
#include "core/log.h"
#include "student/run_folder.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

bool probes_done(const ComparePlan& plan) {
  return std::all_of(plan.probes.begin(), plan.probes.end(), [&](std::size_t t) { return plan.tasks[t].done(); });
}

// For as long as it lives no other comparison works in the folder.
std::unique_ptr<RunLock> lock(const fs::path& folder) {
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) throw Error("can't make the folder: " + failure.message(), folder.string());
  try {
    return std::make_unique<RunLock>(RunFolder{folder});
  } catch (const Error& error) {
    if (!somebody_trains_in(folder)) throw;
    throw Error("another conclave compare works in this folder", error.where(),
                "wait for it or stop it, or choose another folder with run=PATH");
  }
}

void advise(const ComparePlan& plan) {
  const bool all_cores = std::any_of(plan.tasks.begin(), plan.tasks.end(), [](const PlannedTask& task) {
    return task.options && task.options->training.threads == 0 && task.options->training.device == "cpu";
  });
  if (all_cores && plan.options.slots > 1) {
    log::warn("training.threads is 0, all cores: {} runs side by side fight for them; set training.threads",
              plan.options.slots);
  }
  if (plan.options.budget == BudgetKind::kSeconds && plan.options.slots > 1) {
    log::warn("probes run alone: {} runs side by side will take longer than budget.seconds, by the same steps",
              plan.options.slots);
  }
}

}  // namespace

ComparePlan plan_as_far_as_known(const CompareOptions& options) {
  ComparePlan plan = plan_comparison(options);
  if (!plan.probes.empty() && probes_done(plan)) plan = plan_comparison(options, steps_from_probes(plan));
  check_inputs(plan);
  plan.facts.merge(input_facts(plan));
  return plan;
}

CompareOutcome run_comparison(const CompareOptions& options) {
  ComparePlan plan = plan_as_far_as_known(options);
  check_same_comparison(plan.folder, plan.facts);
  const std::unique_ptr<RunLock> held = lock(plan.folder);
  check_same_comparison(plan.folder, plan.facts);  // another one may have been faster
  fs::create_directories(plan.folder / "done");
  save_facts(plan.folder, plan.facts);
  advise(plan);
  if (plan.runs.empty()) {
    CompareProgress probing(plan);
    probing.run();
    if (const auto failure = probing.failure()) throw *failure;
    plan = plan_as_far_as_known(options);
    for (std::size_t m = 0; m < options.methods.size(); ++m) {
      log::info("{}: {} steps in {} s, by its probe", options.methods[m].name,
                plan.tasks[plan.runs[m * options.seeds.size()]].options->training.schedule.steps, options.seconds);
    }
    check_same_comparison(plan.folder, plan.facts);
    save_facts(plan.folder, plan.facts);
  }
  for (const auto& [name, other] : methods_alike(plan.facts)) {
    log::warn("{} is configured as {} is, seeds included: it will have the same scores", name, other);
  }
  CompareProgress progress(plan);
  progress.run();
  return {progress.comparison(), progress.failure()};
}

std::string plan_text(const ComparePlan& plan) {
  const CompareOptions& options = plan.options;
  std::vector<std::string> seeds;
  for (const std::uint64_t seed : options.seeds) seeds.push_back(std::to_string(seed));
  std::string text = "comparison " + options.name + " in " + plan.folder.string() + "\nbudget: " + plan.budget +
                     "\nseeds " + join(seeds) + ", baseline " + options.baseline +
                     (plan.lower.empty() || plan.upper.empty() ? "" : ", gap " + plan.lower + " to " + plan.upper) +
                     ", " + std::to_string(options.slots) + " side by side\n";
  const std::vector<Task> tasks = tasks_of(plan);
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    const Task& task = tasks[t];
    if (task.state == TaskState::kWaiting) {
      text += "  to do  " + task.name + "\n           " + shell_line(task.process) + "\n";
    } else if (task.state == TaskState::kFailed) {
      text += "  failed " + task.name + ": it may, and is not run again\n";
    } else {
      text += (plan.tasks[t].done() ? "  done   " : "  spared ") + task.name + "\n";  // spared: nothing needs it
    }
  }
  if (plan.runs.empty()) text += "  then the runs, by the rates of the probes\n";
  return text + std::to_string(count(tasks, TaskState::kDone)) + " of " + std::to_string(tasks.size()) +
         " tasks are done; the rest will take about " + rough_time(CompareEstimate(plan).left(tasks, 0)) +
         " (an estimate)\n";
}

}  // namespace conclave
