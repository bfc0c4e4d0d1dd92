#include "cli/compare_results.h"

#include <algorithm>
#include <exception>

#include "cli/config_run.h"
#include "core/join.h"

namespace conclave {
namespace {

// By which set, and how often, the weights of a training are chosen.
std::string choice_of(const RunOptions& options) {
  if (options.val.name.empty()) return "the last ones";
  const std::string set = options.val.name + (options.val.annotations.empty() ? "" : ", " + options.val.annotations);
  const int every = options.training.eval_every;
  return set + (every > 0 ? ", every " + std::to_string(every) + " steps" : ", at the end");
}

ComparedMethod method_of(const CompareMethod& written, const RunOptions& resolved) {
  ComparedMethod method;
  method.name = written.name;
  method.description = written.description;
  for (const PlacedOverride& each : written.set) method.overrides.push_back(each.text);
  method.supervision = name_of(resolved.fusion.method);
  if (distils(resolved.fusion.method)) method.loss = name_of(resolved.fusion.loss);
  method.init = resolved.training.init;
  method.choice = choice_of(resolved);
  return method;
}

bool is_of(const RunRecord& record, const std::string& version) {
  const auto& environment = record.environment;
  return std::find(environment.begin(), environment.end(), std::pair<std::string, std::string>("version", version)) !=
         environment.end();
}

}  // namespace

void take_finished(ComparedRun& run) {
  try {
    run.record = read_run_record(run.folder);
    run.metrics = read_run_metrics(run.folder);
    run.state = RunState::kDone;
  } catch (const std::exception& error) {
    run.record = {};
    run.state = RunState::kFailed;
    run.failure = std::string("left what can't be read: ") + error.what() + "\n  move " + run.folder.string() +
                  " away to train it anew";
  }
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
    const std::size_t first = m * options.seeds.size();
    comparison.methods.push_back(method_of(options.methods[m], *plan.tasks[plan.runs[first]].options));
    for (std::size_t s = 0; s < options.seeds.size(); ++s) {
      const PlannedTask& task = plan.tasks[plan.runs[first + s]];
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

std::string runs_of_other_builds(const Comparison& comparison, const std::string& version) {
  std::vector<std::string> methods;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    std::vector<std::string> seeds;
    for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
      const ComparedRun& run = run_of(comparison, m, s);
      if (run.state == RunState::kDone && !is_of(run.record, version)) seeds.push_back(std::to_string(run.seed));
    }
    if (seeds.empty()) continue;
    methods.push_back(comparison.methods[m].name + (seeds.size() > 1 ? " (seeds " : " (seed ") + join(seeds) + ")");
  }
  return join(methods);
}

}  // namespace conclave
