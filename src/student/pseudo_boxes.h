#pragma once

#include <vector>

#include "core/detection.h"
#include "core/geometry.h"
#include "fusion/coverage.h"
#include "fusion/pseudo_options.h"
#include "fusion/soft_targets.h"

namespace conclave {

// A class's threshold, and what keeping the boxes from it on gives on the held-out set; -1 where it was given, not
// found.
struct ClassThreshold {
  float score = 0;
  double precision = -1, recall = -1, f1 = -1;
};

// How what teachers say becomes boxes.
struct PseudoRule {
  PseudoMerge merge = PseudoMerge::kNms;
  std::vector<ClassThreshold> thresholds;  // per class of the student; empty: every box is kept
  bool soft = false;                       // a label weighs its box's score
};

// Where boxes are wanted: pixels of an image or of a view.
struct PseudoFrame {
  Affine from_view;  // pixels of the view that the teachers saw -> the frame's
  float width = 0, height = 0;
};

// One view's targets (per teacher, in the run's order) as boxes of the classes that `sources` marks pseudo (of all
// classes where it is empty), by falling score, clipped to the frame. Boxes of a class
// that several teachers give are merged as `rule` says before thresholds apply. Pure.
std::vector<Detection> pseudo_boxes(const std::vector<SoftTargets>& targets,
                                    const std::vector<TeacherChannels>& teachers,
                                    const std::vector<ClassSource>& sources, const PseudoRule& rule,
                                    const PseudoFrame& frame);

}  // namespace conclave
