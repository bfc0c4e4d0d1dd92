#pragma once

#include <opencv2/core/mat.hpp>

#include "datasets/view.h"

namespace conclave {

// The plain view of pixels in memory, (H,W,3) uint8 RGB: a video's frame. As draw_view of a file with these pixels; a
// JPEG's may differ by a grey value where it is shrunk, since its decoder shrinks otherwise. Thread-safe.
View draw_frame(const cv::Mat& rgb, const ViewOptions& options);

}  // namespace conclave
