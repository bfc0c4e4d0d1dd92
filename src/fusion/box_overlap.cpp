#include "fusion/box_overlap.h"

#include <ATen/ATen.h>

#include <numbers>

namespace conclave {
namespace {

constexpr double kEpsilon = 1e-7;
constexpr double kLeastSide = 0.01;  // cells

struct Corners {
  at::Tensor w, h, x, y;  // sizes, centre

  explicit Corners(const CellBoxes& boxes)
      : w(boxes.wh.select(1, 0).clamp_min(kLeastSide)),
        h(boxes.wh.select(1, 1).clamp_min(kLeastSide)),
        x(boxes.offset.select(1, 0)),
        y(boxes.offset.select(1, 1)) {}
};

// Along one axis: how much two intervals share, and the length of the interval around both.
struct Extent {
  at::Tensor shared, around;

  Extent(const at::Tensor& centre, const at::Tensor& size, const at::Tensor& other_centre,
         const at::Tensor& other_size) {
    const at::Tensor low = centre - size / 2, high = centre + size / 2;
    const at::Tensor other_low = other_centre - other_size / 2, other_high = other_centre + other_size / 2;
    shared = (at::minimum(high, other_high) - at::maximum(low, other_low)).clamp_min(0);
    around = at::maximum(high, other_high) - at::minimum(low, other_low);
  }
};

}  // namespace

at::Tensor overlap_error(BoxLoss kind, const CellBoxes& predicted, const CellBoxes& target) {
  const Corners own(predicted), wanted(target);
  const Extent across(own.x, own.w, wanted.x, wanted.w), down(own.y, own.h, wanted.y, wanted.h);
  const at::Tensor shared = across.shared * down.shared;
  const at::Tensor joint = own.w * own.h + wanted.w * wanted.h - shared;
  const at::Tensor iou = shared / (joint + kEpsilon);
  if (kind == BoxLoss::kGiou) {
    const at::Tensor around = across.around * down.around;
    return 1 - iou + (around - joint) / (around + kEpsilon);
  }
  const at::Tensor diagonal = across.around.square() + down.around.square() + kEpsilon;
  const at::Tensor distance = (own.x - wanted.x).square() + (own.y - wanted.y).square();
  const double scale = 4 / (std::numbers::pi * std::numbers::pi);
  const at::Tensor v = (at::atan(wanted.w / wanted.h) - at::atan(own.w / own.h)).square() * scale;
  return 1 - iou + distance / diagonal + v.square() / (1 - iou + v + kEpsilon);
}

}  // namespace conclave
