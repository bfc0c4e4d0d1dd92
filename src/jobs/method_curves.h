#pragma once

#include <string>
#include <vector>

#include "jobs/run_files.h"

namespace conclave {

// One line of the learning charts: a method with the metrics of its runs, one per seed.
struct LearningColumn {
  std::string name;
  int style = 0;  // as in svg_chart.h
  std::vector<const RunMetrics*> runs;
};

// AP (all and per class, of each set that was evaluated on during the training) and the loss against the step: means
// over the runs, with a band from the lowest to the highest. Empty without metrics.
std::string method_curves_html(const std::vector<LearningColumn>& columns, const std::vector<std::string>& classes);

}  // namespace conclave
