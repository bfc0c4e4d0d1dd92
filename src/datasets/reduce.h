#pragma once

#include <opencv2/core/mat.hpp>

namespace conclave {

// The image at ceil(size / factor), each pixel the mean of factor x factor; at the far edges the last row and column
// are repeated, so that pixel (x, y) always covers [x, x+1) * factor of the original, as in a JPEG's scaled decode.
cv::Mat reduce_by_area(const cv::Mat& image, int factor);

}  // namespace conclave
