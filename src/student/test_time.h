#pragma once

#include <vector>

#include "datasets/view.h"
#include "models/box_merge.h"
#include "models/detector.h"

namespace conclave {

// Looking at an image more than once when detecting (test-time augmentation).
struct TestTime {
  bool flip = false;                 // the mirror image too
  std::vector<double> scales = {1};  // of the input size
  BoxMergeOptions merge;             // of the scales' boxes

  bool operator==(const TestTime&) const = default;
};

// Heads of the images and of their mirror images, averaged after mirroring back: heat as probability, and wh (Zhou et
// al. 2019, section 5.1). The offset is that of the images: mirrored, a centre lies elsewhere in its cell.
HeadOutputs average_with_mirrored(const HeadOutputs& heads, const HeadOutputs& mirrored);

// The views of one scale: sides a multiple of 32, at least 32.
ViewOptions at_scale(const ViewOptions& views, double scale);

// Throws Error (Exit::kUsage) for scales that are empty, not within [0.1, 8], or equal once rounded to views.
void check_test_time(const TestTime& options, const ViewOptions& views);

}  // namespace conclave
