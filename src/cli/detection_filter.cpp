#include "cli/detection_filter.h"

#include <algorithm>
#include <charconv>
#include <functional>

#include "core/error.h"
#include "core/join.h"
#include "core/nearest.h"

namespace conclave {
namespace {

constexpr double kUsualThreshold = 0.3;

std::size_t class_index(const std::vector<std::string>& classes, const std::string& name, const std::string& where) {
  const auto found = std::find(classes.begin(), classes.end(), name);
  if (found != classes.end()) return static_cast<std::size_t>(found - classes.begin());
  std::string hint = "the classes are " + join(classes, ", ");
  if (const auto near = nearest(name, classes)) hint = "did you mean '" + *near + "'? " + hint;
  throw Error("the detector has no class '" + name + "'", where, hint, Exit::kUsage);
}

double score_from(const std::string& text, const std::string& whole) {
  double value = -1;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem == std::errc() && end == text.data() + text.size() && value >= 0 && value <= 1) return value;
  throw Error("'" + whole + "' is not a score", "--threshold", "a number from 0 to 1, or CLASS=NUMBER", Exit::kUsage);
}

}  // namespace

double DetectionFilter::lowest_threshold() const {
  double lowest = 1;
  for (std::size_t c = 0; c < threshold.size(); ++c) {
    if (wanted[c]) lowest = std::min(lowest, threshold[c]);
  }
  return lowest;
}

bool DetectionFilter::same_for_all() const {
  return std::find(wanted.begin(), wanted.end(), false) == wanted.end() &&
         std::adjacent_find(threshold.begin(), threshold.end(), std::not_equal_to<>()) == threshold.end();
}

std::vector<Detection> DetectionFilter::apply(const std::vector<Detection>& detections) const {
  std::vector<Detection> kept;
  for (const Detection& detection : detections) {
    if (kept.size() >= static_cast<std::size_t>(most)) break;
    const auto c = static_cast<std::size_t>(detection.cls);
    if (wanted.at(c) && detection.score >= static_cast<float>(threshold.at(c))) kept.push_back(detection);
  }
  return kept;
}

DetectionFilter make_filter(const std::vector<std::string>& classes, const std::map<std::string, double>& known,
                            const std::vector<std::string>& thresholds, const std::vector<std::string>& only,
                            int most) {
  DetectionFilter filter;
  filter.most = most;
  filter.wanted.assign(classes.size(), only.empty());
  for (const std::string& name : only) filter.wanted[class_index(classes, name, "--classes")] = true;
  for (const std::string& name : classes) {
    const auto own = known.find(name);
    filter.threshold.push_back(own == known.end() ? kUsualThreshold : own->second);
  }
  for (const std::string& text : thresholds) {
    const std::size_t equals = text.rfind('=');
    if (equals == std::string::npos) {
      std::fill(filter.threshold.begin(), filter.threshold.end(), score_from(text, text));
    } else {
      filter.threshold[class_index(classes, text.substr(0, equals), "--threshold")] =
          score_from(text.substr(equals + 1), text);
    }
  }
  return filter;
}

}  // namespace conclave
