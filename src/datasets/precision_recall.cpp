#include "datasets/precision_recall.h"

namespace conclave {

std::vector<CurvePoint> precision_recall(const ClassMatches& matches) {
  std::vector<CurvePoint> curve;
  const auto objects = static_cast<double>(matches.objects);
  double hits = 0;
  for (std::size_t i = 0; i < matches.detections.size(); ++i) {
    const MatchedDetection& match = matches.detections[i];
    if (match.hit) ++hits;
    if (i + 1 < matches.detections.size() && matches.detections[i + 1].score == match.score) continue;
    const auto kept = static_cast<double>(i + 1);
    curve.push_back({match.score, hits / kept, objects > 0 ? hits / objects : 0, 2 * hits / (kept + objects)});
  }
  return curve;
}

CurvePoint best_f1(const std::vector<CurvePoint>& curve) {
  CurvePoint best;
  for (const CurvePoint& point : curve) {
    if (point.f1 > best.f1) best = point;
  }
  return best;
}

}  // namespace conclave
