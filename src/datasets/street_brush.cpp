#include "datasets/street_brush.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace conclave {
namespace {

constexpr int kShift = 4;  // OpenCV draws on a grid of 1/16 pixel

cv::Point fixed(cv::Point2f p) {
  return {static_cast<int>(std::lround(p.x * (1 << kShift))), static_cast<int>(std::lround(p.y * (1 << kShift)))};
}

}  // namespace

StreetBrush::StreetBrush(int width, int height)
    : image_(height, width, CV_8UC3, cv::Scalar::all(0)), owner_(height, width, CV_32SC1, cv::Scalar::all(0)) {}

void StreetBrush::polygon(const std::vector<cv::Point2f>& points, const cv::Scalar& colour) {
  std::vector<cv::Point> on_grid;
  for (const cv::Point2f& point : points) on_grid.push_back(fixed(point));
  cv::fillPoly(image_, std::vector<std::vector<cv::Point>>{on_grid}, colour, cv::LINE_8, kShift);
  cv::fillPoly(owner_, std::vector<std::vector<cv::Point>>{on_grid}, cv::Scalar::all(object_), cv::LINE_8, kShift);
}

void StreetBrush::rectangle(float x0, float y0, float x1, float y1, const cv::Scalar& colour) {
  polygon({{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}, colour);
}

void StreetBrush::ellipse(cv::Point2f centre, float rx, float ry, const cv::Scalar& colour) {
  const cv::Size axes(std::max(1, fixed({rx, ry}).x), std::max(1, fixed({rx, ry}).y));
  cv::ellipse(image_, fixed(centre), axes, 0, 0, 360, colour, cv::FILLED, cv::LINE_8, kShift);
  cv::ellipse(owner_, fixed(centre), axes, 0, 0, 360, cv::Scalar::all(object_), cv::FILLED, cv::LINE_8, kShift);
}

void StreetBrush::line(cv::Point2f a, cv::Point2f b, float thickness, const cv::Scalar& colour) {
  const cv::Point2f along = b - a;
  const float length = std::max(1e-3f, std::hypot(along.x, along.y));
  const cv::Point2f side(-along.y / length * thickness / 2, along.x / length * thickness / 2);
  polygon({a + side, b + side, b - side, a - side}, colour);
}

}  // namespace conclave
