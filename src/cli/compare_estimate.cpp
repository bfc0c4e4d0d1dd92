#include "cli/compare_estimate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <numeric>

#include "cli/compare_inputs.h"
#include "cli/compare_methods.h"
#include "cli/compare_schedule.h"
#include "cli/machine.h"
#include "core/error.h"
#include "core/real_path.h"
#include "jobs/run_files.h"
#include "models/detector.h"
#include "models/zoo.h"
#include "student/device.h"

namespace conclave {
namespace {

// Of work whose last value is a number: reading it waits for the device.
double seconds_of(const std::function<at::Tensor()>& work) {
  work().item<float>();  // the first time allocates and chooses kernels
  const auto begin = std::chrono::steady_clock::now();
  work().item<float>();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::string network_of(const RunOptions& options) {
  return describe(options.model.architecture) + " " + std::to_string(options.model.width) + "x" +
         std::to_string(options.model.height) + " " + options.training.device + " " +
         std::to_string(options.training.threads) + (options.training.bf16 ? " bf16" : "");
}

std::string kind_of(const PlannedTask& task) {
  return task.name.substr(0, task.name.find(','));
}

}  // namespace

CompareEstimate::Tried CompareEstimate::try_out(const RunOptions& options) {
  const TrainOptions& training = options.training;
  const at::Device device = device_of(training.device);
  use_threads(training.threads);
  const auto model = make_detector(options.model);
  place(*model, device, training.channels_last);
  const int images = std::min(2, training.batch);
  at::Tensor batch = at::zeros({images, 3, options.model.height, options.model.width}).to(device);
  if (training.channels_last) batch = batch.contiguous(at::MemoryFormat::ChannelsLast);
  const Autocast autocast(device, training.bf16);
  Tried times;
  times.step = seconds_of([&] {
                 const HeadOutputs heads = model->forward(batch);
                 const at::Tensor sum = heads.heat.sum() + heads.wh.sum() + heads.offset.sum();
                 sum.backward();
                 return sum.detach();
               }) /
               images;
  const at::NoGradGuard no_gradient;
  model->eval();
  times.forward = seconds_of([&] { return model->forward(batch).heat.sum(); }) / images;
  return times;
}

const CompareEstimate::Tried& CompareEstimate::tried(const RunOptions& options) {
  const std::string network = network_of(options);
  const auto found = networks_.find(network);
  return found != networks_.end() ? found->second : networks_[network] = try_out(options);
}

// Seconds per image. `folders`: of the trainings, by task, real paths.
double CompareEstimate::teachers_of(const PlannedTask& task, const std::vector<std::string>& folders) {
  if (task.recorded || !asks_every_view(task.options->fusion)) return 0;
  double seconds = 0;
  for (const TeacherOptions& teacher : task.options->teachers) {
    const RunOptions* maker = &*task.options;
    for (std::size_t t = 0; t < folders.size() && !teacher.weights.empty(); ++t) {
      if (!folders[t].empty() && lies_in(real_path(teacher.weights), folders[t])) maker = &*plan_.tasks[t].options;
    }
    seconds += tried(*maker).forward;
  }
  return seconds;
}

CompareEstimate::CompareEstimate(const ComparePlan& plan) : plan_(plan) {
  std::vector<std::string> folders;
  for (const PlannedTask& task : plan.tasks) folders.push_back(task.options ? real_path(task.folder) : "");
  for (const PlannedTask& task : plan.tasks) {
    tried_.push_back(0);
    if (!task.options) continue;
    const RunOptions& options = *task.options;
    const double images = static_cast<double>(images_of(options));
    const double cores = options.training.threads == 0 ? cpu_count() : options.training.threads;
    tried_.back() = images * (tried(options).step + teachers_of(task, folders)) *
                    std::max(1.0, plan.options.slots * cores / std::max(1, cpu_count()));
  }
  for (std::size_t t = 0; t < plan.tasks.size(); ++t) {
    if (!plan.tasks[t].options || !plan.tasks[t].done()) continue;
    try {
      const RunRecord record = read_run_record(plan.tasks[t].folder);
      if (record.training && record.training->seconds > 0) finished(t, record.training->seconds);
    } catch (const Error&) {  // told by who needs more of it
    }
  }
}

void CompareEstimate::finished(std::size_t task, double seconds) {
  known_[kind_of(plan_.tasks[task])].push_back(seconds);
  tried_of_finished_ += tried_[task];
  if (tried_[task] > 0) seconds_of_finished_ += seconds;
}

double CompareEstimate::of(std::size_t task) const {
  const auto found = known_.find(kind_of(plan_.tasks[task]));
  if (found != known_.end()) {
    return std::accumulate(found->second.begin(), found->second.end(), 0.0) / static_cast<double>(found->second.size());
  }
  return tried_[task] * (tried_of_finished_ > 0 ? seconds_of_finished_ / tried_of_finished_ : 1);
}

double CompareEstimate::left(const std::vector<Task>& tasks, double now) const {
  std::vector<TimedTask> timed(tasks.size());
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    timed[t].running = tasks[t].state == TaskState::kRunning;
    timed[t].ended = !timed[t].running && tasks[t].state != TaskState::kWaiting;
    timed[t].seconds = timed[t].running ? std::max(0.0, of(t) - (now - tasks[t].started)) : of(t);
    timed[t].after = tasks[t].after;
    timed[t].after.insert(timed[t].after.end(), tasks[t].after_any.begin(), tasks[t].after_any.end());
  }
  return time_of_schedule(std::move(timed), plan_.options.slots);
}

std::string rough_time(double seconds) {
  char text[32];
  if (seconds < 90) {
    std::snprintf(text, sizeof text, "%.0f s", seconds);
  } else if (seconds < 5400) {
    std::snprintf(text, sizeof text, "%.0f min", seconds / 60);
  } else {
    std::snprintf(text, sizeof text, "%.1f h", seconds / 3600);
  }
  return text;
}

}  // namespace conclave
