#pragma once

#include <vector>

#include "core/detection.h"
#include "models/detector.h"

namespace conclave {

// What a box detector says about one view as the heads of a CenterNet, (1,C,height,width), (1,2,..), (1,2,..), so that
// it can teach as one. A box with score s, in pixels of the view, gives a Gaussian of height s with the radius of
// training targets (ground_truth.h), the larger one counting where two meet; its wh and the offset to its centre,
// clamped to [0,1], at its centre's cell and wherever else its Gaussian is the largest of all classes. decode() finds
// the boxes again, but for those whose centre shares its cell with a stronger one, or lies beside it in the same class.
// Probabilities stay within [1e-6, 1 - 1e-4].
HeadOutputs render_boxes(const std::vector<Detection>& detections, int classes, int height, int width,
                         double min_overlap);

}  // namespace conclave
