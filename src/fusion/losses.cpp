#include "fusion/losses.h"

#include <ATen/ATen.h>

#include <cmath>

#include "models/decode.h"

namespace conclave {
namespace {

constexpr double kEpsilon = 1e-4;       // of centerX's divisors
constexpr double kPeakThreshold = 0.1;  // of the peaks that count as objects

at::Tensor over_cells(const at::Tensor& mask) {
  return mask.unsqueeze(-1).unsqueeze(-1);
}

at::Tensor sum_per_class(const at::Tensor& values) {
  return values.sum(at::IntArrayRef{0, 2, 3});
}

// The focal terms, not yet summed, with their sign turned: (B,C,H,W).
at::Tensor focal_cells(const at::Tensor& logits, const at::Tensor& heat, const at::Tensor& centres) {
  const at::Tensor p = at::sigmoid(logits);
  const at::Tensor log_p = at::log_sigmoid(logits);
  const at::Tensor log_not_p = log_p - logits;
  const at::Tensor at_centre = (1 - p).square() * log_p;
  const at::Tensor elsewhere = (1 - heat).pow(4) * p.square() * log_not_p;
  return -at::where(centres, at_centre, elsewhere);
}

at::Tensor cross_entropy_cells(const at::Tensor& logits, const at::Tensor& p_teacher) {
  return at::binary_cross_entropy_with_logits(logits, p_teacher, {}, {}, at::Reduction::None);
}

Quotient over_at_least_one(const at::Tensor& sum, const at::Tensor& count) {
  return {sum, count, Quotient::Divisor::kAtLeastOne};
}

Quotient over_epsilon_more(const at::Tensor& sum, const at::Tensor& count) {
  return {sum, count, Quotient::Divisor::kPlusEpsilon};
}

// Mean over supervised cells and classes.
Quotient masked_mean(const at::Tensor& values, const at::Tensor& mask) {
  const auto plane = static_cast<double>(values.size(2) * values.size(3));
  return over_at_least_one((values * over_cells(mask)).sum(), mask.sum() * plane);
}

// (|d_0| + |d_1|) / side: (N,).
at::Tensor l1_per_object(const at::Tensor& predicted, const at::Tensor& target, const at::Tensor& side) {
  const at::Tensor distance = (predicted - target).abs().sum(1);
  return side.defined() ? distance / side : distance;
}

}  // namespace

at::Tensor Quotient::value() const {
  return sum / (divisor == Divisor::kAtLeastOne ? count.clamp_min(1) : count + kEpsilon);
}

Quotient focal_per_class(const at::Tensor& logits, const GroundTruth& truth, const at::Tensor& mask) {
  const at::Tensor heat = truth.heat.to(logits.options());
  const at::Tensor centres = heat == 1;
  const at::Tensor cell_mask = over_cells(mask);
  const at::Tensor count = sum_per_class(centres.to(mask.scalar_type()) * cell_mask);
  return over_at_least_one(sum_per_class(focal_cells(logits, heat, centres) * cell_mask), count);
}

Quotient focal_joint(const at::Tensor& logits, const at::Tensor& heat, const at::Tensor& mask) {
  const at::Tensor target = heat.to(logits.options());
  const at::Tensor centres = target == 1;
  at::Tensor cells = focal_cells(logits, target, centres);
  at::Tensor count = centres.to(logits.scalar_type());
  if (mask.defined()) {
    cells = cells * over_cells(mask);
    count = count * over_cells(mask);
  }
  return over_at_least_one(cells.sum(), count.sum());
}

at::Tensor at_centres(const at::Tensor& head, const GroundTruth& truth) {
  return head.permute({0, 2, 3, 1}).reshape({-1, head.size(1)}).index_select(0, truth.index.to(head.device()));
}

at::Tensor supervised_objects(const GroundTruth& truth, const at::Tensor& mask, std::int64_t cells) {
  const at::Tensor view = at::floor_divide(truth.index, cells);
  return mask.flatten().index_select(0, (view * mask.size(1) + truth.cls).to(mask.device()));
}

Quotient l1_per_class(const at::Tensor& predicted, const at::Tensor& target, const at::Tensor& weight,
                      const at::Tensor& side, const at::Tensor& cls, std::int64_t classes) {
  // (C,N): summed as a dense product, so that the order of additions is fixed on every device.
  const at::Tensor member = (at::arange(classes, cls.options()).unsqueeze(1) == cls).to(weight.scalar_type()) * weight;
  const at::Tensor sums = (member * l1_per_object(predicted, target, side)).sum(1);
  return over_at_least_one(sums, member.sum(1));
}

Quotient l1_joint(const at::Tensor& predicted, const at::Tensor& target, const at::Tensor& weight,
                  const at::Tensor& side) {
  return over_epsilon_more((weight * l1_per_object(predicted, target, side)).sum(), 2 * weight.sum());
}

at::Tensor peak_mass(const at::Tensor& p_teacher, const at::Tensor& mask) {
  const at::Tensor peaks = keep_peaks(p_teacher);
  const at::Tensor counted = at::where(peaks > kPeakThreshold, peaks, at::zeros({}, peaks.options()));
  return sum_per_class(counted * over_cells(mask));
}

Quotient quality_focal(const at::Tensor& logits, const at::Tensor& teacher, const at::Tensor& mask) {
  const at::Tensor p_teacher = at::sigmoid(teacher);
  const at::Tensor cells =
      (at::sigmoid(logits) - p_teacher).square() * cross_entropy_cells(logits, p_teacher) * over_cells(mask);
  return over_at_least_one(sum_per_class(cells), peak_mass(p_teacher, mask));
}

Quotient cross_entropy(const at::Tensor& logits, const at::Tensor& teacher, const at::Tensor& mask) {
  const at::Tensor p_teacher = at::sigmoid(teacher);
  return over_at_least_one(sum_per_class(cross_entropy_cells(logits, p_teacher) * over_cells(mask)),
                           peak_mass(p_teacher, mask));
}

Quotient one_sided_relu(const at::Tensor& logits, const at::Tensor& teacher, const at::Tensor& mask, double floor) {
  const double zero = std::log(floor) - std::log1p(-floor);
  const at::Tensor target = at::relu(teacher - zero);
  const at::Tensor student = logits - zero;
  return masked_mean((at::where(target > 0, student, at::relu(student)) - target).square(), mask);
}

Quotient mean_squared_error(const at::Tensor& p_student, const at::Tensor& p_teacher, const at::Tensor& mask) {
  return masked_mean((p_student - p_teacher).square(), mask);
}

Quotient weighted_l1(const at::Tensor& student, const at::Tensor& teacher, const at::Tensor& weight,
                     const at::Tensor& side) {
  const at::Tensor distance = (student - teacher).abs().sum(1, /*keepdim=*/true);
  const at::Tensor scaled = side.defined() ? weight / side : weight;
  return over_epsilon_more((scaled * distance).sum(), weight.sum());
}

at::Tensor mean_side(const at::Tensor& wh, std::int64_t dim) {
  return wh.mean(dim, /*keepdim=*/true).clamp_min(1);
}

at::Tensor published_side(const at::Tensor& wh, std::int64_t dim) {
  return wh.mean(dim, /*keepdim=*/true) + kEpsilon;
}

}  // namespace conclave
