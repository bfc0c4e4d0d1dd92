#pragma once

#include <vector>

#include "core/detection.h"

namespace conclave {

// Detections of one image from several looks at it (scales), boxes in pixels of one frame, become one list by falling
// score. Only detections of one class and of different looks are taken for the same object: what one look tells apart
// stays apart. A single look passes unchanged but for its order.

enum class BoxMerge {
  kNms,   // the strongest box stays, others that overlap it by more than `iou` go
  kFuse,  // boxes that overlap by more than `iou` become one (weighted box fusion, Solovyev et al. 2019)
};

struct BoxMergeOptions {
  BoxMerge how = BoxMerge::kFuse;
  double iou = 0.6;

  bool operator==(const BoxMergeOptions&) const = default;
};

// kFuse: each look adds at most one box to an object; the box is the mean weighted by score, the score the sum of its
// parts over the number of looks, so that what only one look sees counts less.
std::vector<Detection> merge_looks(const std::vector<std::vector<Detection>>& looks, const BoxMergeOptions& options);

}  // namespace conclave
