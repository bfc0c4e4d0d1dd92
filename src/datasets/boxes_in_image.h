#pragma once

#include <vector>

#include "core/detection.h"
#include "datasets/view.h"

namespace conclave {

// Detections in pixels of a view as those of its image (width x height pixels): clipped to it, without boxes that lie
// outside.
std::vector<Detection> boxes_in_image(const std::vector<Detection>& found, const View& view, int width, int height);

}  // namespace conclave
