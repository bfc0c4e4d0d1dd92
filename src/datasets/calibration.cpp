#include "datasets/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace conclave {

Calibration calibration(const ClassMatches& matches, int bins, float lowest) {
  std::vector<CalibrationBin> all(static_cast<std::size_t>(bins));
  std::int64_t total = 0;
  for (const MatchedDetection& match : matches.detections) {
    if (match.score < lowest) continue;
    const int place = std::clamp(static_cast<int>(match.score * static_cast<float>(bins)), 0, bins - 1);
    CalibrationBin& bin = all[static_cast<std::size_t>(place)];
    bin.score += match.score;
    bin.precision += match.hit ? 1 : 0;
    ++bin.count;
    ++total;
  }
  Calibration result{{}, total > 0 ? 0 : std::numeric_limits<double>::quiet_NaN()};
  for (CalibrationBin& bin : all) {
    if (bin.count == 0) continue;
    const auto count = static_cast<double>(bin.count);
    bin.score /= count;
    bin.precision /= count;
    result.error += count / static_cast<double>(total) * std::abs(bin.score - bin.precision);
    result.bins.push_back(bin);
  }
  return result;
}

double ImageF1::f1() const {
  return kept + objects == 0 ? 1 : 2.0 * static_cast<double>(hits) / static_cast<double>(kept + objects);
}

std::vector<ImageF1> per_image_f1(const Dataset& dataset, const std::vector<ClassMatches>& matches,
                                  const std::vector<double>& thresholds, const std::vector<bool>& judged) {
  std::vector<ImageF1> images(dataset.images.size());
  for (std::size_t i = 0; i < images.size(); ++i) {
    for (const Annotation& annotation : dataset.images[i].annotations) {
      if (!annotation.crowd && judged.at(static_cast<std::size_t>(annotation.cls))) ++images[i].objects;
    }
  }
  for (std::size_t c = 0; c < matches.size(); ++c) {
    if (!judged.at(c)) continue;
    for (const MatchedDetection& match : matches[c].detections) {
      if (match.score < thresholds.at(c)) continue;
      ++images[match.image].kept;
      if (match.hit) ++images[match.image].hits;
    }
  }
  return images;
}

}  // namespace conclave
