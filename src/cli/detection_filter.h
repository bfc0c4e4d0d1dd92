#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/detection.h"

namespace conclave {

// Which detections a person wants to see.
struct DetectionFilter {
  std::vector<double> threshold;  // lowest score, per class
  std::vector<bool> wanted;       // per class
  int most = 100;                 // per image

  double lowest_threshold() const;  // of the wanted classes
  bool same_for_all() const;        // every class is wanted, from one score on
  // REQUIRES: by falling score.
  std::vector<Detection> apply(const std::vector<Detection>& detections) const;
};

// `thresholds`: "0.5" for all classes, "person=0.4" for one; a later one counts over an earlier one. A class that none
// names has its own of `known` (the weights' metadata), else 0.3. `only`: names of the classes wanted; empty: all.
// Throws Error (Exit::kUsage) for an unknown class or a number outside [0,1].
DetectionFilter make_filter(const std::vector<std::string>& classes, const std::map<std::string, double>& known,
                            const std::vector<std::string>& thresholds, const std::vector<std::string>& only, int most);

}  // namespace conclave
