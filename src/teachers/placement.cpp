#include "teachers/placement.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace conclave {
namespace {

cv::Rect region(int view_width, int view_height, int width, int height, Fit fit) {
  if (fit == Fit::kStretch) return {0, 0, width, height};
  const double scale = std::min(static_cast<double>(width) / view_width, static_cast<double>(height) / view_height);
  const int w = std::clamp(static_cast<int>(std::lround(view_width * scale)), 1, width);
  const int h = std::clamp(static_cast<int>(std::lround(view_height * scale)), 1, height);
  return {(width - w) / 2, (height - h) / 2, w, h};
}

}  // namespace

Affine placement(int view_width, int view_height, int width, int height, Fit fit) {
  const cv::Rect at = region(view_width, view_height, width, height, fit);
  return {static_cast<double>(at.width) / view_width,
          0,
          static_cast<double>(at.x),
          0,
          static_cast<double>(at.height) / view_height,
          static_cast<double>(at.y)};
}

void place(const Pixels<const std::uint8_t>& view, const Pixels<std::uint8_t>& input, Fit fit, int pad) {
  const cv::Rect at = region(view.width, view.height, input.width, input.height, fit);
  const cv::Mat from(view.height, view.width, CV_8UC3, const_cast<std::uint8_t*>(view.data));
  cv::Mat to(input.height, input.width, CV_8UC3, input.data);
  if (at.size() != to.size()) to.setTo(cv::Scalar::all(pad));
  cv::Mat inside = to(at);
  if (at.size() == from.size()) {
    from.copyTo(inside);
  } else {
    const bool reduce = at.width < view.width || at.height < view.height;
    cv::resize(from, inside, at.size(), 0, 0, reduce ? cv::INTER_AREA : cv::INTER_LINEAR);
  }
}

}  // namespace conclave
