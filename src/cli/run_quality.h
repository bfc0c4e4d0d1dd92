#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/measured_detector.h"

namespace conclave {

// The score from which a student's box of each class is shown and counted: the best F1 on a set that is not the one
// reported on.
struct Thresholds {
  static constexpr double kFixed = 0.3;  // where no set tells
  std::string set;                       // where they were found; empty: nowhere, all are fixed
  std::vector<double> scores;            // per class of the student
  std::vector<bool> found;               // per class; else fixed
};

// Of the student on `set`; fixed ones without a set, and for classes that it doesn't label or where nothing is hit.
Thresholds find_thresholds(const RunNetwork& student, const std::optional<Dataset>& set, const RunOptions& options);

// quality.json: what the numbers of result.json hide. The students' and teachers' precision-recall curves at IoU 0.5
// (at 101 recalls, precision made monotonic as in AP; null where no threshold reaches the recall), the calibration of
// their scores, and for the student (the first) also its thresholds, what they give on this set, and the F1 of each
// image.
nlohmann::ordered_json quality_json(const Dataset& set, const MeasuredDetector& student,
                                    const std::vector<MeasuredDetector>& teachers, const Thresholds& thresholds);

}  // namespace conclave
