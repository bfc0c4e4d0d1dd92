#pragma once

#include <string>
#include <vector>

#include "jobs/run_quality.h"

namespace conclave {

// One line of the quality charts: a detector, or a method with one detector per seed. What is shown are means over
// those that tell.
struct QualityColumn {
  std::string name;
  int style = 0;  // as in svg_chart.h
  std::vector<const DetectorQuality*> detectors;
};

// A precision-recall chart per class; a recall is drawn where all detectors of the column reach it.
std::string precision_recall_html(const std::vector<QualityColumn>& columns, const std::vector<std::string>& classes);

// Rows of columns, per class: the threshold and the precision, recall and F1 that it gives. Columns without thresholds
// are left out. `chosen_on`: the set where they were found, empty: nowhere.
std::string thresholds_html(const std::vector<QualityColumn>& columns, const std::vector<std::string>& classes,
                            const std::string& chosen_on, const std::string& shown_on);

// A reliability chart per class (mean score of a bin against the share of its detections that are right) and a table of
// expected calibration errors.
std::string calibration_html(const std::vector<QualityColumn>& columns, const std::vector<std::string>& classes);

}  // namespace conclave
