#pragma once

#include <cstdint>
#include <vector>

#include "datasets/matching.h"

namespace conclave {

// Detections with scores in one tenth (or whatever share) of [0,1].
struct CalibrationBin {
  double score = 0;      // their mean
  double precision = 0;  // the share of them that hit an object
  std::int64_t count = 0;
};

// Does a score of 0.7 mean that seven of ten such detections are right?
struct Calibration {
  std::vector<CalibrationBin> bins;  // by rising score; empty ones are left out
  // Expected calibration error (Naeini et al. 2015): sum over bins of count / all * |score - precision|. NaN without
  // detections.
  double error;
};

// Of the detections scored `lowest` or more: a detector that always names its hundred best cells has a great many of
// almost no score, and they would decide the error. Bin b holds scores in [b / bins, (b + 1) / bins), the last one also
// 1. REQUIRES: bins > 0.
Calibration calibration(const ClassMatches& matches, int bins = 10, float lowest = 0.05f);

// F1 of one image when of each class c the detections scored `thresholds[c]` or more are kept, over the classes with
// judged[c]: 2 hits / (kept + objects). 1 where there is neither an object nor a kept detection.
struct ImageF1 {
  std::int64_t hits = 0, kept = 0, objects = 0;
  double f1() const;
};

// One per image of the set. `matches`: match_detections(dataset, ...), per class.
std::vector<ImageF1> per_image_f1(const Dataset& dataset, const std::vector<ClassMatches>& matches,
                                  const std::vector<double>& thresholds, const std::vector<bool>& judged);

}  // namespace conclave
