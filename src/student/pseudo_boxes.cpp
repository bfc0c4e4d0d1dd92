#include "student/pseudo_boxes.h"

#include <algorithm>
#include <optional>

#include "datasets/box_fusion.h"
#include "fusion/sparse.h"
#include "models/decode.h"

namespace conclave {
namespace {

constexpr int kMostDetections = 300;  // per view and teacher

// The score under which no box can become a label, before merging. Fusing uses all boxes that travelled.
float least_score(const PseudoRule& rule) {
  if (rule.thresholds.empty() || rule.merge == PseudoMerge::kWbf) return 0;
  float least = 1;
  for (const ClassThreshold& threshold : rule.thresholds) least = std::min(least, threshold.score);
  return least;
}

// One teacher's boxes in the frame, by the student's class.
void decode_into(std::vector<std::vector<Detection>>& by_class, const SoftTargets& targets,
                 const TeacherChannels& teacher, float least, const PseudoFrame& frame) {
  const auto decoded = decode(as_heads(densify({&targets})), {kMostDetections, least});
  for (Detection detection : decoded.front()) {
    detection.cls = teacher.student_class.at(static_cast<std::size_t>(detection.cls));
    if (detection.cls < 0) continue;
    detection.box = clip(transform(frame.from_view, detection.box), frame.width, frame.height);
    if (detection.box.width() <= 0 || detection.box.height() <= 0) continue;
    by_class.at(static_cast<std::size_t>(detection.cls)).push_back(detection);
  }
}

std::size_t classes_of(const std::vector<TeacherChannels>& teachers) {
  int last = -1;
  for (const TeacherChannels& teacher : teachers) {
    for (const int cls : teacher.student_class) last = std::max(last, cls);
  }
  return static_cast<std::size_t>(last + 1);
}

// How many of its channels are the class.
std::ptrdiff_t channels_of(const TeacherChannels& teacher, int cls) {
  return std::count(teacher.student_class.begin(), teacher.student_class.end(), cls);
}

// The teacher's weight in merging boxes of a class; nothing where it does not have the class.
std::optional<double> weight_of(const TeacherChannels& teacher, int cls) {
  const auto& classes = teacher.student_class;
  const auto channel = std::find(classes.begin(), classes.end(), cls) - classes.begin();
  if (channel == std::ssize(classes)) return std::nullopt;
  return teacher.channel_weight.empty() ? teacher.weight : teacher.channel_weight.at(static_cast<std::size_t>(channel));
}

}  // namespace

std::vector<Detection> pseudo_boxes(const std::vector<SoftTargets>& targets,
                                    const std::vector<TeacherChannels>& teachers,
                                    const std::vector<ClassSource>& sources, const PseudoRule& rule,
                                    const PseudoFrame& frame) {
  const std::size_t classes = std::max(sources.size(), classes_of(teachers));
  const float least = least_score(rule);
  std::vector<std::vector<std::vector<Detection>>> said(targets.size());  // [teacher][class]
  for (std::size_t t = 0; t < targets.size(); ++t) {
    said[t].resize(classes);
    decode_into(said[t], targets[t], teachers.at(t), least, frame);
  }

  std::vector<Detection> boxes;
  for (std::size_t c = 0; c < classes; ++c) {
    if (!sources.empty() && !sources[c].pseudo) continue;
    std::vector<std::vector<Detection>> models;
    std::vector<double> weights;
    std::ptrdiff_t channels = 0;
    for (std::size_t t = 0; t < targets.size(); ++t) {
      channels += channels_of(teachers[t], static_cast<int>(c));
      const std::optional<double> weight = weight_of(teachers[t], static_cast<int>(c));
      if (!weight) continue;
      models.push_back(std::move(said[t][c]));
      weights.push_back(*weight);
    }
    std::vector<Detection> merged;
    if (rule.merge == PseudoMerge::kWbf && models.size() > 1) {
      merged = fuse_boxes(models, weights);
    } else {
      for (const auto& own : models) merged.insert(merged.end(), own.begin(), own.end());
      if (channels > 1) merged = suppress(std::move(merged));  // one channel has a peak per object, as in evaluation
    }
    for (const Detection& detection : merged) {
      if (rule.thresholds.empty() || detection.score >= rule.thresholds.at(c).score) boxes.push_back(detection);
    }
  }
  std::stable_sort(boxes.begin(), boxes.end(),
                   [](const Detection& a, const Detection& b) { return a.score > b.score; });
  return boxes;
}

}  // namespace conclave
