#pragma once

#include <string>
#include <vector>

#include "jobs/run_files.h"
#include "jobs/svg_chart.h"

namespace conclave {

// A number of every logged step.
Series by_step(const RunMetrics& metrics, const std::string& name, double TrainingRow::*field);

// Loss and its terms, AP of each set that was evaluated on, learning rate and gradient norm of one run; classes in the
// given order. Empty without metrics.
std::string run_curves_html(const RunMetrics& metrics, const std::vector<std::string>& classes);

}  // namespace conclave
