#include "cli/compare_run.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "cli/compare_estimate.h"
#include "cli/compare_inputs.h"
#include "cli/comparison_pictures.h"
#include "cli/config_run.h"
#include "cli/task_runner.h"
#include "core/error.h"
#include "core/file.h"
#include "core/join.h"
#include "core/log.h"
#include "jobs/comparison_files.h"
#include "jobs/comparison_statistics.h"
#include "student/run_folder.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;
constexpr double kNoticeSeconds = 60;

std::vector<Task> tasks_of(const ComparePlan& plan) {
  const std::string program = path_of_this_program();
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
    if (planned.done()) task.state = TaskState::kDone;
    tasks.push_back(std::move(task));
  }
  return tasks;
}

int count(const std::vector<Task>& tasks, TaskState state) {
  return static_cast<int>(
      std::count_if(tasks.begin(), tasks.end(), [&](const Task& task) { return task.state == state; }));
}

std::string ap_words(const RunRecord& record) {
  if (!record.student || !record.student->all) return {};
  return fmt::format(", AP {:.1f}, AP50 {:.1f}", 100 * record.student->all->ap, 100 * record.student->all->ap50);
}

// By which set, and how often, the weights of a training are chosen.
std::string choice_of(const RunOptions& options) {
  if (options.val.name.empty()) return "the last ones";
  const std::string set = options.val.name + (options.val.annotations.empty() ? "" : ", " + options.val.annotations);
  const int every = options.training.eval_every;
  return set + (every > 0 ? ", every " + std::to_string(every) + " steps" : ", at the end");
}

void take_finished(ComparedRun& run) {
  run.record = read_run_record(run.folder);
  run.metrics = read_run_metrics(run.folder);
  run.state = RunState::kDone;
}

// Of a training that was resumed, too, all its parts.
double whole_time(const PlannedTask& task, double seconds) {
  if (task.folder.empty()) return seconds;
  const std::optional<TrainingResult> training = read_run_record(task.folder).training;
  return training ? std::max(seconds, training->seconds) : seconds;
}

// One plan's tasks on their way, and the results after each.
class Progress {
 public:
  explicit Progress(const ComparePlan& plan) : plan_(plan), tasks_(tasks_of(plan)), estimate_(plan) {
    if (!plan.runs.empty()) comparison_ = read_comparison(plan);
  }

  void run() {
    const int waiting = count(tasks_, TaskState::kWaiting);
    log::info("{} of {} tasks are done; {} to go, {} side by side, about {} (an estimate)",
              tasks_.size() - static_cast<std::size_t>(waiting), tasks_.size(), waiting, plan_.options.slots,
              rough_time(estimate_.left(tasks_, 0)));
    TaskEvents events;
    events.started = [this](std::size_t t) {
      log::info("{}: started, log {}", tasks_[t].name, tasks_[t].process.log.string());
    };
    events.ended = [this](std::size_t t) { ended(t); };
    events.idle = [this](double now) { idle(now); };
    run_tasks(tasks_, plan_.options.slots, events);
    if (!comparison_) return;
    draw();
    write();
  }

  // Throws Error that names what failed and may not.
  void check() const {
    std::string text;
    int failed = 0, skipped = 0;
    for (std::size_t t = 0; t < tasks_.size(); ++t) {
      const Task& task = tasks_[t];
      if (plan_.tasks[t].may_fail || (task.state != TaskState::kFailed && task.state != TaskState::kSkipped)) continue;
      (task.state == TaskState::kFailed ? failed : skipped) += 1;
      text += "\n  " + task.name + (task.state == TaskState::kSkipped ? " was left out: " : " ") + task.failure;
    }
    if (text.empty()) return;
    throw Error(std::to_string(failed) + " of " + std::to_string(tasks_.size()) + " tasks failed, " +
                    std::to_string(skipped) + " were left out:" + text,
                plan_.folder.string(), "mend the cause and start it again: it runs what is missing");
  }

  Comparison result() const { return *comparison_; }

 private:
  void ended(std::size_t t) {
    const Task& task = tasks_[t];
    now_ = std::max(now_, task.started + task.seconds);
    std::string words;
    if (task.state == TaskState::kDone) {
      estimate_.finished(t, whole_time(plan_.tasks[t], task.seconds));
      if (comparison_) words = take_into_results(t);
    }
    const std::string left = rough_time(estimate_.left(tasks_, now_));
    if (task.state == TaskState::kDone) {
      log::info("{}: done in {}{}; {} of {} tasks are done, about {} left", task.name, rough_time(task.seconds), words,
                count(tasks_, TaskState::kDone), tasks_.size(), left);
    } else {
      if (comparison_) take_into_results(t);
      log::error("{}: {} {}", task.name, task.state == TaskState::kSkipped ? "left out:" : "failed: it", task.failure);
    }
  }

  std::string take_into_results(std::size_t t) {
    const auto found = std::find(plan_.runs.begin(), plan_.runs.end(), t);
    if (found == plan_.runs.end()) return {};
    ComparedRun& run = comparison_->runs[static_cast<std::size_t>(found - plan_.runs.begin())];
    if (tasks_[t].state == TaskState::kDone) {
      take_finished(run);
    } else {
      if (tasks_[t].state == TaskState::kFailed) run.state = RunState::kFailed;
      run.failure = tasks_[t].failure;
    }
    write();
    return ap_words(run.record);
  }

  void write() {
    summarise(*comparison_);
    write_comparison(*comparison_, plan_.folder);
  }

  // A report without pictures is better than none.
  void draw() {
    try {
      draw_comparison_pictures(*comparison_, plan_.folder);
    } catch (const Error& error) {
      log::warn("the report has no pictures: {}", error.what());
    }
  }

  void idle(double now) {
    now_ = now;
    if (now - noticed_ < kNoticeSeconds) return;
    noticed_ = now;
    std::vector<std::string> running;
    for (const Task& task : tasks_) {
      if (task.state == TaskState::kRunning) running.push_back(task.name);
    }
    if (running.empty()) return;
    log::info("running: {}; {} of {} tasks are done, about {} left", join(running, "; "),
              count(tasks_, TaskState::kDone), tasks_.size(), rough_time(estimate_.left(tasks_, now)));
  }

  const ComparePlan& plan_;
  std::vector<Task> tasks_;
  CompareEstimate estimate_;
  std::optional<Comparison> comparison_;  // absent while only probes and steps run
  double now_ = 0, noticed_ = 0;
};

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

Comparison read_comparison(const ComparePlan& plan) {
  Comparison comparison;
  const CompareOptions& options = plan.options;
  comparison.name = options.name;
  comparison.classes = plan.classes;
  comparison.baseline = options.baseline;
  comparison.lower = plan.lower;
  comparison.upper = plan.upper;
  comparison.seeds = options.seeds;
  comparison.budget = plan.budget;
  for (std::size_t m = 0; m < options.methods.size(); ++m) {
    const RunOptions& resolved = *plan.tasks[plan.runs[m * options.seeds.size()]].options;
    ComparedMethod method;
    method.name = options.methods[m].name;
    method.description = options.methods[m].description;
    for (const PlacedOverride& each : options.methods[m].set) method.overrides.push_back(each.text);
    method.supervision = name_of(resolved.fusion.method);
    if (needs_teachers(resolved.fusion.method)) method.loss = name_of(resolved.fusion.loss);
    method.init = resolved.training.init;
    method.choice = choice_of(resolved);
    comparison.methods.push_back(std::move(method));
    for (std::size_t s = 0; s < options.seeds.size(); ++s) {
      const PlannedTask& task = plan.tasks[plan.runs[m * options.seeds.size() + s]];
      ComparedRun run;
      run.method = options.methods[m].name;
      run.seed = options.seeds[s];
      run.folder = task.folder;
      if (task.done()) take_finished(run);
      comparison.runs.push_back(std::move(run));
    }
  }
  return comparison;
}

Comparison run_comparison(const CompareOptions& options) {
  ComparePlan plan = plan_as_far_as_known(options);
  check_same_comparison(plan.folder, plan.facts);
  const std::unique_ptr<RunLock> held = lock(plan.folder);
  check_same_comparison(plan.folder, plan.facts);  // another one may have been faster
  fs::create_directories(plan.folder / "done");
  save_facts(plan.folder, plan.facts);
  advise(plan);
  if (plan.runs.empty()) {
    Progress probing(plan);
    probing.run();
    probing.check();
    plan = plan_as_far_as_known(options);
    for (std::size_t m = 0; m < options.methods.size(); ++m) {
      log::info("{}: {} steps in {} s, by its probe", options.methods[m].name,
                plan.tasks[plan.runs[m * options.seeds.size()]].options->training.schedule.steps, options.seconds);
    }
    check_same_comparison(plan.folder, plan.facts);
    save_facts(plan.folder, plan.facts);
  }
  Progress progress(plan);
  progress.run();
  progress.check();
  return progress.result();
}

std::string plan_text(const ComparePlan& plan) {
  const CompareOptions& options = plan.options;
  std::vector<std::string> seeds;
  for (const std::uint64_t seed : options.seeds) seeds.push_back(std::to_string(seed));
  std::string text = "comparison " + options.name + " in " + plan.folder.string() + "\nbudget: " + plan.budget +
                     "\nseeds " + join(seeds) + ", baseline " + options.baseline +
                     (plan.lower.empty() || plan.upper.empty() ? "" : ", gap " + plan.lower + " to " + plan.upper) +
                     ", " + std::to_string(options.slots) + " side by side\n";
  for (const PlannedTask& task : plan.tasks) {
    text += (task.done() ? "  done   " : "  to do  ") + task.name + "\n";
    if (!task.done()) text += "           conclave " + join(task.words, " ") + "\n";
  }
  if (plan.runs.empty()) text += "  then the runs, by the rates of the probes\n";
  const std::vector<Task> tasks = tasks_of(plan);
  return text + std::to_string(count(tasks, TaskState::kDone)) + " of " + std::to_string(tasks.size()) +
         " tasks are done; the rest will take about " + rough_time(CompareEstimate(plan).left(tasks, 0)) +
         " (an estimate)\n";
}

}  // namespace conclave
