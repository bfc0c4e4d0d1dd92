#pragma once

#include <string>
#include <vector>

#include "cli/compare_plan.h"
#include "support/temporary_folder.h"

namespace conclave {

// A plan of two methods and seeds 0 and 1 whose processes are this test program, which runs no test and ends well.
// What a run leaves is what the test writes there.
class ComparedRuns : public TemporaryFolder {
 public:
  ComparedRuns() {
    plan.folder = path();
    plan.options.name = "pair";
    plan.options.baseline = "pseudo";
    plan.options.seeds = {0, 1};
    plan.classes = {"x"};
    for (const Method method : {Method::kKd, Method::kPseudo}) {
      CompareMethod& written = plan.options.methods.emplace_back();
      written.name = method == Method::kKd ? "kd" : "pseudo";
      for (const char* seed : {"0", "1"}) add(written.name, seed, method);
    }
  }

  PlannedTask& task(std::size_t run) { return plan.tasks[plan.runs[run]]; }

  // Methods outer: kd 0, kd 1, pseudo 0, pseudo 1.
  void leave(std::size_t run, const std::string& result, bool report) const {
    const std::string folder = "runs/" + std::to_string(run) + "/";
    write(folder + "result.json", result);
    if (report) write(folder + "report.html", "x");
  }

  ComparePlan plan;

 private:
  void add(const std::string& name, const std::string& seed, Method method) {
    PlannedTask task;
    task.name = name + ", seed " + seed;
    task.words = {"--gtest_filter=-*", "none.yaml"};
    task.log = path() / "logs" / (name + seed + ".log");
    task.folder = path() / "runs" / std::to_string(plan.runs.size());
    task.marker = task.folder / "result.json";
    RunOptions& options = task.options.emplace();
    options.fusion.method = method;
    options.training.schedule.steps = 1;
    options.training.threads = 1;
    options.training.bf16 = false;
    options.model.architecture.width = 8;
    options.model.architecture.neck_channels = {8, 8, 8};
    options.model.architecture.head_channels = 8;
    options.model.classes = {"x"};
    options.model.width = options.model.height = 32;
    plan.runs.push_back(plan.tasks.size());
    plan.tasks.push_back(task);
  }
};

}  // namespace conclave
