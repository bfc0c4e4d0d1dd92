#include "cli/compare_probes.h"

#include <algorithm>

#include "core/error.h"
#include "jobs/run_files.h"

namespace conclave {

MethodSteps steps_from_probes(const ComparePlan& plan) {
  MethodSteps steps;
  for (std::size_t m = 0; m < plan.probes.size(); ++m) {
    const PlannedTask& probe = plan.tasks[plan.probes[m]];
    std::vector<double> rates;
    for (const TrainingRow& row : read_run_metrics(probe.folder).training) {
      if (row.step > kProbeRowSteps && row.images_per_second > 0) rates.push_back(row.images_per_second);
    }
    if (rates.empty())
      throw Error("the probe logged no rate", probe.folder.string(), "remove the folder and try again");
    std::nth_element(rates.begin(), rates.begin() + static_cast<std::ptrdiff_t>(rates.size() / 2), rates.end());
    const double images = plan.options.seconds * rates[rates.size() / 2];
    steps[plan.options.methods[m].name] = std::max(1, static_cast<int>(images / probe.options->training.batch));
  }
  return steps;
}

}  // namespace conclave
