#include "cli/run_quality.h"

#include <algorithm>
#include <cmath>

#include "datasets/calibration.h"
#include "datasets/precision_recall.h"

namespace conclave {
namespace {

using Json = nlohmann::ordered_json;
constexpr int kRecalls = 101;

// Five digits say all there is to see, and keep the file small.
double rounded(double value) {
  return std::round(value * 1e5) / 1e5;
}

// At each of the recalls the best precision that reaches it.
Json curve_json(const std::vector<CurvePoint>& curve) {
  std::vector<double> best(curve.size());
  double most = 0;
  for (std::size_t i = curve.size(); i-- > 0;) best[i] = most = std::max(most, curve[i].precision);
  Json precision = Json::array(), score = Json::array();
  std::size_t at = 0;
  for (int r = 0; r < kRecalls; ++r) {
    const double recall = static_cast<double>(r) / (kRecalls - 1);
    while (at < curve.size() && curve[at].recall < recall - 1e-12) ++at;
    precision.push_back(at < curve.size() ? Json(rounded(best[at])) : Json());
    score.push_back(at < curve.size() ? Json(rounded(curve[at].score)) : Json());
  }
  return {{"precision", precision}, {"score", score}};
}

Json calibration_json(const Calibration& calibration) {
  Json bins = Json::array();
  for (const CalibrationBin& bin : calibration.bins) {
    bins.push_back({{"score", rounded(bin.score)}, {"precision", rounded(bin.precision)}, {"count", bin.count}});
  }
  return {{"bins", bins}, {"error", std::isnan(calibration.error) ? Json() : Json(rounded(calibration.error))}};
}

// What the curve gives at a threshold.
CurvePoint point_at(const std::vector<CurvePoint>& curve, double threshold) {
  CurvePoint point;
  for (const CurvePoint& each : curve) {
    if (each.score < threshold) break;
    point = each;
  }
  return point;
}

Json class_json(const ClassMatches& matches, const std::vector<CurvePoint>& curve) {
  Json json = {{"objects", matches.objects}};
  json["curve"] = curve_json(curve);
  json["calibration"] = calibration_json(calibration(matches));
  return json;
}

Json detector_json(const Dataset& set, const MeasuredDetector& detector, const Thresholds* thresholds) {
  const std::vector<ClassMatches> matches = match_detections(set, detector.detections);
  Json per_class = Json::object();
  for (std::size_t c = 0; c < set.classes.size(); ++c) {
    if (!detector.judged[c]) continue;
    const std::vector<CurvePoint> curve = precision_recall(matches[c]);
    Json& json = per_class[set.classes[c]] = class_json(matches[c], curve);
    if (thresholds == nullptr) continue;
    const CurvePoint point = point_at(curve, thresholds->scores[c]);
    json["threshold"] = {{"score", rounded(thresholds->scores[c])},
                         {"found", static_cast<bool>(thresholds->found[c])},
                         {"precision", rounded(point.precision)},
                         {"recall", rounded(point.recall)},
                         {"f1", rounded(point.f1)}};
  }
  Json json = {{"name", detector.name}, {"per_class", per_class}};
  if (thresholds == nullptr) return json;
  Json images = Json::array();
  const std::vector<ImageF1> scores = per_image_f1(set, matches, thresholds->scores, detector.judged);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    images.push_back({{"id", set.images[i].id}, {"f1", rounded(scores[i].f1())}});
  }
  json["images"] = std::move(images);
  return json;
}

}  // namespace

Thresholds find_thresholds(const RunNetwork& student, const std::optional<Dataset>& set, const RunOptions& options) {
  Thresholds thresholds;
  thresholds.scores.assign(options.classes.size(), Thresholds::kFixed);
  thresholds.found.assign(options.classes.size(), false);
  if (!set) return thresholds;
  thresholds.set = set->name;
  const MeasuredDetector measured = measure_detector("student", student, own_channels(options), *set, options);
  const std::vector<ClassMatches> matches = match_detections(*set, measured.detections);
  for (std::size_t c = 0; c < options.classes.size(); ++c) {
    if (!measured.judged[c]) continue;
    const CurvePoint best = best_f1(precision_recall(matches[c]));
    if (best.f1 <= 0) continue;
    thresholds.scores[c] = best.score;
    thresholds.found[c] = true;
  }
  return thresholds;
}

Json quality_json(const Dataset& set, const MeasuredDetector& student, const std::vector<MeasuredDetector>& teachers,
                  const Thresholds& thresholds) {
  Json json = {{"set", set.name}, {"images", set.images.size()}, {"iou", 0.5}, {"thresholds_from", thresholds.set}};
  json["detectors"] = Json::array({detector_json(set, student, &thresholds)});
  for (const MeasuredDetector& teacher : teachers) json["detectors"].push_back(detector_json(set, teacher, nullptr));
  return json;
}

}  // namespace conclave
