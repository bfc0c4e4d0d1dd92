#include "datasets/frame_view.h"

#include <algorithm>
#include <array>
#include <opencv2/imgproc.hpp>

#include "datasets/reduce.h"
#include "datasets/view_recipe.h"

namespace conclave {
namespace {

constexpr int kGrey = 114;
constexpr double kLeastScale = 0.7;  // as view.cpp has it

}  // namespace

View draw_frame(const cv::Mat& rgb, const ViewOptions& options) {
  const std::array<ImageSize, 1> size = {{{rgb.cols, rgb.rows}}};
  View view;
  view.width = options.width;
  view.height = options.height;
  view.image_to_view = view_recipe(view.key, size, options).parts.front().image_to_view;
  view.pixels.resize(static_cast<std::size_t>(options.width) * options.height * 3);
  const Affine& affine = view.image_to_view;  // a plain view scales and shifts
  int reduction = 1;
  while (affine.a * reduction < kLeastScale && reduction < 256) reduction *= 2;
  const int first = std::min(reduction, 4);  // as a file is: by its decoder, then the rest
  const cv::Mat reduced = reduce_by_area(reduce_by_area(rgb, first), reduction / first);
  // From the view's pixel centres to those of the reduced frame.
  const double step = 1 / (affine.a * reduction);
  const cv::Matx23d matrix(step, 0, (0.5 - affine.c) * step - 0.5, 0, step, (0.5 - affine.f) * step - 0.5);
  cv::Mat target(view.height, view.width, CV_8UC3, view.pixels.data());
  cv::warpAffine(reduced, target, matrix, target.size(), cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_CONSTANT,
                 cv::Scalar::all(kGrey));
  return view;
}

}  // namespace conclave
