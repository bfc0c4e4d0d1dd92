#pragma once

#include <opencv2/core/mat.hpp>
#include <opencv2/core/types.hpp>
#include <vector>

namespace conclave {

// Draws shapes on a picture and notes which object owns each pixel: what is drawn later hides what was there.
class StreetBrush {
 public:
  StreetBrush(int width, int height);

  // What follows belongs to this object; 0: to none (scenery and clutter, which hide objects all the same).
  void begin(int object) { object_ = object; }

  void polygon(const std::vector<cv::Point2f>& points, const cv::Scalar& colour);
  void rectangle(float x0, float y0, float x1, float y1, const cv::Scalar& colour);
  void ellipse(cv::Point2f centre, float rx, float ry, const cv::Scalar& colour);
  void line(cv::Point2f a, cv::Point2f b, float thickness, const cv::Scalar& colour);

  cv::Mat& image() { return image_; }              // (H,W,3) uint8 RGB
  const cv::Mat& owner() const { return owner_; }  // (H,W) int32

 private:
  cv::Mat image_, owner_;
  int object_ = 0;
};

}  // namespace conclave
