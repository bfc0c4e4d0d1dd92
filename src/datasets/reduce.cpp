#include "datasets/reduce.h"

#include <opencv2/imgproc.hpp>

namespace conclave {

cv::Mat reduce_by_area(const cv::Mat& image, int factor) {
  if (factor == 1) return image;
  const int width = (image.cols + factor - 1) / factor, height = (image.rows + factor - 1) / factor;
  cv::Mat padded = image;
  if (width * factor != image.cols || height * factor != image.rows) {
    cv::copyMakeBorder(image, padded, 0, height * factor - image.rows, 0, width * factor - image.cols,
                       cv::BORDER_REPLICATE);
  }
  cv::Mat reduced;
  cv::resize(padded, reduced, {width, height}, 0, 0, cv::INTER_AREA);
  return reduced;
}

}  // namespace conclave
