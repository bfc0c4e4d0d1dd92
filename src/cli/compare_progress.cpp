#include "cli/compare_progress.h"

#include <algorithm>
#include <exception>

#include "cli/compare_results.h"
#include "cli/compare_tasks.h"
#include "cli/comparison_pictures.h"
#include "cli/version.h"
#include "core/join.h"
#include "core/log.h"
#include "jobs/comparison_files.h"
#include "jobs/comparison_statistics.h"

namespace conclave {
namespace {

constexpr double kNoticeSeconds = 60;

std::string ap_words(const RunRecord& record) {
  if (!record.student || !record.student->all) return {};
  return fmt::format(", AP {:.1f}, AP50 {:.1f}", 100 * record.student->all->ap, 100 * record.student->all->ap50);
}

// Of a training that was resumed, too, all its parts.
double whole_time(const PlannedTask& task, double seconds) {
  if (task.folder.empty()) return seconds;
  try {
    const std::optional<TrainingResult> training = read_run_record(task.folder).training;
    return training ? std::max(seconds, training->seconds) : seconds;
  } catch (const std::exception&) {  // told by who needs more of it
    return seconds;
  }
}

}  // namespace

CompareProgress::CompareProgress(const ComparePlan& plan) : plan_(plan), tasks_(tasks_of(plan)), estimate_(plan) {
  if (plan.runs.empty()) return;
  comparison_ = read_comparison(plan);
  for (std::size_t r = 0; r < plan.runs.size(); ++r) {
    Task& task = tasks_[plan.runs[r]];
    ComparedRun& run = comparison_->runs[r];
    if (run.state == RunState::kFailed) {
      task.state = TaskState::kFailed;
      task.failure = run.failure;
    } else if (task.state == TaskState::kFailed) {
      run.state = RunState::kFailed;
      run.failure = task.failure;
    }
  }
}

void CompareProgress::run() {
  const int waiting = count(tasks_, TaskState::kWaiting);
  log::info("{} of {} tasks are done; {} to go, {} side by side, about {} (an estimate)",
            count(tasks_, TaskState::kDone), tasks_.size(), waiting, plan_.options.slots,
            rough_time(estimate_.left(tasks_, 0)));
  if (waiting > 0) warn_of_other_builds();
  TaskEvents events;
  events.started = [this](std::size_t t) {
    log::info("{}: started, log {}", tasks_[t].name, tasks_[t].process.log.string());
  };
  events.waited = [this](std::size_t t) { waited(t); };
  events.ended = [this](std::size_t t) { ended(t); };
  events.idle = [this](double now) { idle(now); };
  run_tasks(tasks_, plan_.options.slots, events);
  if (!comparison_) return;
  draw();
  write();
}

std::optional<Error> CompareProgress::failure() const {
  std::string text;
  int failed = 0, skipped = 0;
  for (std::size_t t = 0; t < tasks_.size(); ++t) {
    const Task& task = tasks_[t];
    if (plan_.tasks[t].may_fail || (task.state != TaskState::kFailed && task.state != TaskState::kSkipped)) continue;
    (task.state == TaskState::kFailed ? failed : skipped) += 1;
    text += "\n  " + task.name + (task.state == TaskState::kSkipped ? " was left out: " : " ") + task.failure;
  }
  if (text.empty()) return std::nullopt;
  return Error(std::to_string(failed) + " of " + std::to_string(tasks_.size()) + " tasks failed, " +
                   std::to_string(skipped) + " were left out:" + text,
               plan_.folder.string(), "mend the cause and start it again: it runs what is missing");
}

void CompareProgress::warn_of_other_builds() const {
  if (!comparison_) return;
  const std::string others = runs_of_other_builds(*comparison_, version_and_build());
  if (others.empty()) return;
  log::warn(
      "finished runs were made by another build of the program than this, {}: {}; that alone may make a difference to "
      "what runs now. Move their folders, {}/METHOD/seedN, away to measure them anew",
      version_and_build(), others, (plan_.folder / "runs").string());
}

// Another process trained there until now.
void CompareProgress::waited(std::size_t t) {
  if (!plan_.tasks[t].done()) return;
  const std::string against = against_its_folder(plan_.tasks[t]);
  tasks_[t].state = against.empty() ? TaskState::kDone : TaskState::kFailed;
  tasks_[t].failure = against;
}

void CompareProgress::ended(std::size_t t) {
  Task& task = tasks_[t];
  now_ = std::max(now_, task.started + task.seconds);
  if (task.state == TaskState::kDone) estimate_.finished(t, whole_time(plan_.tasks[t], task.seconds));
  try {
    keep_divergence(plan_.tasks[t], task);
  } catch (const std::exception& error) {
    log::warn("{}: it will run again at the next start: {}", task.name, error.what());
  }
  const std::string words = comparison_ ? take_into_results(t) : "";
  if (task.state == TaskState::kDone) {
    log::info("{}: done in {}{}; {} of {} tasks are done, about {} left", task.name, rough_time(task.seconds), words,
              count(tasks_, TaskState::kDone), tasks_.size(), rough_time(estimate_.left(tasks_, now_)));
  } else {
    log::error("{}: {} {}", task.name, task.state == TaskState::kSkipped ? "left out:" : "failed: it", task.failure);
  }
}

std::string CompareProgress::take_into_results(std::size_t t) {
  const auto found = std::find(plan_.runs.begin(), plan_.runs.end(), t);
  if (found == plan_.runs.end()) return {};
  Task& task = tasks_[t];
  ComparedRun& run = comparison_->runs[static_cast<std::size_t>(found - plan_.runs.begin())];
  if (task.state == TaskState::kDone) {
    take_finished(run);
    if (run.state == RunState::kFailed) {
      task.state = TaskState::kFailed;
      task.failure = run.failure;
    }
  } else {
    if (task.state == TaskState::kFailed) run.state = RunState::kFailed;
    run.failure = task.failure;
  }
  try {
    write();
  } catch (const std::exception& error) {
    log::warn("the report is behind, the runs go on: {}", error.what());
  }
  return ap_words(run.record);
}

void CompareProgress::write() {
  summarise(*comparison_);
  write_comparison(*comparison_, plan_.folder);
}

// A report without pictures is better than none.
void CompareProgress::draw() {
  try {
    draw_comparison_pictures(*comparison_, plan_.folder);
  } catch (const std::exception& error) {
    log::warn("the report has no pictures: {}", error.what());
  }
}

void CompareProgress::idle(double now) {
  now_ = now;
  if (now - noticed_ < kNoticeSeconds) return;
  noticed_ = now;
  std::vector<std::string> running;
  for (const Task& task : tasks_) {
    if (task.state == TaskState::kRunning) running.push_back(task.name);
  }
  if (running.empty()) return;
  log::info("running: {}; {} of {} tasks are done, about {} left", join(running, "; "), count(tasks_, TaskState::kDone),
            tasks_.size(), rough_time(estimate_.left(tasks_, now)));
}

}  // namespace conclave
