#pragma once

#include <cstdint>
#include <vector>

#include "datasets/matching.h"

namespace conclave {

// What keeping every detection scored `score` or more gives: precision = hits / (hits + false ones), recall = hits /
// objects, F1 = 2 hits / (hits + false ones + objects).
struct CurvePoint {
  float score = 0;
  double precision = 0, recall = 0, f1 = 0;
};

// One point per score that occurs, by falling score. Not smoothed: AP's curve (coco_ap) is, this one is what a
// threshold really gives. Empty without detections; recall is 0 without objects.
std::vector<CurvePoint> precision_recall(const ClassMatches& matches);

// The point of the largest F1, of equal ones that of the higher score. One of score 0 and F1 0 where nothing is hit.
CurvePoint best_f1(const std::vector<CurvePoint>& curve);

}  // namespace conclave
