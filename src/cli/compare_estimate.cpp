#include "cli/compare_estimate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <numeric>

#include "cli/machine.h"
#include "core/error.h"
#include "core/log.h"
#include "jobs/run_files.h"
#include "models/detector.h"
#include "models/zoo.h"
#include "student/device.h"

namespace conclave {
namespace {

struct Tried {
  double step = 0, forward = 0;  // seconds per image
};

// Of work whose last value is a number: reading it waits for the device.
double seconds_of(const std::function<at::Tensor()>& work) {
  work().item<float>();  // the first time allocates and chooses kernels
  const auto begin = std::chrono::steady_clock::now();
  work().item<float>();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

Tried try_out(const RunOptions& options) {
  const TrainOptions& training = options.training;
  const at::Device device = device_of(training.device);
  use_threads(training.threads);
  const auto model = make_detector(options.model);
  place(*model, device, training.channels_last);
  const int images = std::min(2, training.batch);
  at::Tensor batch = at::zeros({images, 3, options.model.height, options.model.width}).to(device);
  if (training.channels_last) batch = batch.contiguous(at::MemoryFormat::ChannelsLast);
  const Autocast autocast(device, training.bf16);
  Tried tried;
  tried.step = seconds_of([&] {
                 const HeadOutputs heads = model->forward(batch);
                 const at::Tensor sum = heads.heat.sum() + heads.wh.sum() + heads.offset.sum();
                 sum.backward();
                 return sum.detach();
               }) /
               images;
  const at::NoGradGuard no_gradient;
  model->eval();
  tried.forward = seconds_of([&] { return model->forward(batch).heat.sum(); }) / images;
  return tried;
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

CompareEstimate::CompareEstimate(const ComparePlan& plan) : plan_(plan) {
  std::map<std::string, Tried> tried;
  for (const PlannedTask& task : plan.tasks) {
    tried_.push_back(0);
    if (!task.options) continue;
    const RunOptions& options = *task.options;
    const std::string network = network_of(options);
    if (!tried.contains(network)) tried[network] = try_out(options);
    const double images = static_cast<double>(options.training.schedule.steps) * options.training.batch;
    const double teachers =
        asks_every_view(options.fusion) ? static_cast<double>(options.teachers.size()) * tried[network].forward : 0;
    const double cores = options.training.threads == 0 ? cpu_count() : options.training.threads;
    tried_.back() = images * (tried[network].step + teachers) *
                    std::max(1.0, plan.options.slots * cores / std::max(1, cpu_count()));
  }
  for (std::size_t t = 0; t < plan.tasks.size(); ++t) {
    if (!plan.tasks[t].options || !plan.tasks[t].done()) continue;
    const RunRecord record = read_run_record(plan.tasks[t].folder);
    if (record.training && record.training->seconds > 0) finished(t, record.training->seconds);
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
  double sum = 0, longest = 0;
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    double rest = 0;
    if (tasks[t].state == TaskState::kWaiting) rest = of(t);
    if (tasks[t].state == TaskState::kRunning) rest = std::max(0.0, of(t) - (now - tasks[t].started));
    sum += rest;
    longest = std::max(longest, rest);
  }
  return std::max(longest, sum / plan_.options.slots);
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
