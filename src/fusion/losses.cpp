#include "fusion/losses.h"

#include <ATen/ATen.h>

#include <cmath>

#include "fusion/logit.h"
#include "models/decode.h"

namespace conclave {
namespace {

constexpr double kEpsilon = 1e-4;       // of centerX's divisors
constexpr double kPeakThreshold = 0.1;  // of the peaks that count as objects
constexpr double kLeastFloor = 1e-4;    // of channel-wise distillation, whose logits are finite

at::Tensor over_cells(const at::Tensor& mask) {
  return mask.dim() == 4 ? mask : mask.unsqueeze(-1).unsqueeze(-1);
}

at::Tensor sum_per_class(const at::Tensor& values) {
  return values.sum(at::IntArrayRef{0, 2, 3});
}

// The focal terms, not yet summed, with their sign turned: (B,C,H,W). centre_weight: undefined for 1.
at::Tensor focal_cells(const at::Tensor& logits, const at::Tensor& heat, const at::Tensor& centres,
                       const at::Tensor& centre_weight) {
  const at::Tensor p = at::sigmoid(logits);
  const at::Tensor log_p = at::log_sigmoid(logits);
  const at::Tensor log_not_p = log_p - logits;
  at::Tensor at_centre = (1 - p).square() * log_p;
  if (centre_weight.defined()) at_centre = at_centre * centre_weight;
  const at::Tensor elsewhere = (1 - heat).pow(4) * p.square() * log_not_p;
  return -at::where(centres, at_centre, elsewhere);
}

at::Tensor cross_entropy_cells(const at::Tensor& logits, const at::Tensor& p_teacher) {
  return at::binary_cross_entropy_with_logits(logits, p_teacher, {}, {}, at::Reduction::None);
}

// Both sides of a comparison at a temperature.
struct Softened {
  at::Tensor logits, p_teacher;
  double temperature;

  at::Tensor restored(const at::Tensor& sums) const {
    return temperature == 1 ? sums : sums * (temperature * temperature);
  }
};

Softened soften(const at::Tensor& logits, const at::Tensor& teacher, const at::Tensor& p_teacher, double temperature) {
  if (temperature == 1) return {logits, p_teacher, 1};
  return {logits / temperature, at::sigmoid(teacher / temperature), temperature};
}

Quotient over_at_least_one(const at::Tensor& sum, const at::Tensor& count) {
  return {sum, count, Quotient::Divisor::kAtLeastOne};
}

Quotient over_epsilon_more(const at::Tensor& sum, const at::Tensor& count) {
  return {sum, count, Quotient::Divisor::kPlusEpsilon};
}

// Per class, the mean over supervised cells.
Quotient masked_mean(const at::Tensor& values, const at::Tensor& mask) {
  const at::Tensor cells =
      mask.dim() == 4 ? sum_per_class(mask) : mask.sum(0) * static_cast<double>(values.size(2) * values.size(3));
  return over_at_least_one(sum_per_class(values * over_cells(mask)), cells);
}

}  // namespace

at::Tensor sum_per_group(const at::Tensor& values, const at::Tensor& group, std::int64_t groups) {
  return at::zeros({groups}, values.options().requires_grad(false)).index_add(0, group, values);
}

at::Tensor Quotient::divided_by() const {
  const bool at_least_one = divisor == Divisor::kAtLeastOne;
  at::Tensor whole = at_least_one ? count.clamp_min(1) : count;
  if (heard.defined()) whole = whole * (views / heard.clamp_min(1));
  return at_least_one ? whole : whole + kEpsilon;
}

at::Tensor Quotient::value() const {
  return sum / divided_by();
}

Quotient Quotient::joined(const at::Tensor& group, std::int64_t groups) const {
  const auto join = [&](const at::Tensor& values) {
    return values.defined() ? sum_per_group(values, group, groups) : at::Tensor();
  };
  return {join(sum), join(count), divisor, join(heard), join(views)};
}

std::vector<at::Tensor> Quotient::counts() const {
  return heard.defined() ? std::vector{count, heard, views} : std::vector{count};
}

Quotient Quotient::of_views(const at::Tensor& mask) const {
  Quotient quotient = *this;
  quotient.heard = mask.sum(0);
  quotient.views = at::full_like(quotient.heard, mask.size(0));
  return quotient;
}

Quotient focal_per_class(const at::Tensor& logits, const GroundTruth& truth, const at::Tensor& mask) {
  const at::Tensor heat = truth.heat.to(logits.options());
  const at::Tensor centres = heat == 1;
  const at::Tensor cell_mask = over_cells(mask);
  const at::Tensor weight = centre_weights(truth);
  return over_at_least_one(sum_per_class(focal_cells(logits, heat, centres, weight) * cell_mask),
                           sum_per_class(centres.to(mask.scalar_type()) * cell_mask));
}

Quotient focal_joint(const at::Tensor& logits, const at::Tensor& heat, const at::Tensor& mask,
                     const at::Tensor& centre_weight) {
  const at::Tensor target = heat.to(logits.options());
  const at::Tensor centres = target == 1;
  at::Tensor cells = focal_cells(logits, target, centres, centre_weight);
  at::Tensor count = centres.to(logits.scalar_type());
  if (mask.defined()) {
    cells = cells * over_cells(mask);
    count = count * over_cells(mask);
  }
  return over_at_least_one(cells.sum(), count.sum());
}

at::Tensor centre_weights(const GroundTruth& truth) {
  if (!truth.weight.defined()) return {};
  const std::int64_t classes = truth.heat.size(1), cells = truth.heat.size(2) * truth.heat.size(3);
  const at::Tensor view = at::floor_divide(truth.index, cells);
  const at::Tensor place = (view * classes + truth.cls) * cells + at::remainder(truth.index, cells);
  const at::Tensor flat = at::zeros({truth.heat.numel()}, truth.weight.options());
  return at::scatter_reduce(flat, 0, place, truth.weight, "amax").view_as(truth.heat);
}

at::Tensor at_cells(const at::Tensor& head, const at::Tensor& index) {
  return head.permute({0, 2, 3, 1}).reshape({-1, head.size(1)}).index_select(0, index.to(head.device()));
}

at::Tensor pair_of_class(const at::Tensor& wh, const at::Tensor& cls) {
  if (wh.size(1) == 2) return wh;
  const at::Tensor pair = cls.view({-1, 1, 1}).expand({-1, 1, 2});
  return wh.view({wh.size(0), wh.size(1) / 2, 2}).gather(1, pair).squeeze(1);
}

at::Tensor supervised_objects(const GroundTruth& truth, const at::Tensor& mask, std::int64_t cells) {
  const at::Tensor view = at::floor_divide(truth.index, cells);
  if (mask.dim() == 4) {
    const at::Tensor channel = view * mask.size(1) + truth.cls;
    return mask.flatten().index_select(0, (channel * cells + truth.index % cells).to(mask.device()));
  }
  return mask.flatten().index_select(0, (view * mask.size(1) + truth.cls).to(mask.device()));
}

Quotient objects_per_class(const at::Tensor& error, const at::Tensor& counted, const at::Tensor& cls,
                           std::int64_t classes) {
  return over_at_least_one(sum_per_group(counted * error, cls, classes), sum_per_group(counted, cls, classes));
}

Quotient objects_joint(const at::Tensor& error, const at::Tensor& counted) {
  return over_epsilon_more((counted * error).sum(), counted.sum());
}

at::Tensor l1_error(const at::Tensor& predicted, const at::Tensor& target, const at::Tensor& side) {
  const at::Tensor distance = (predicted - target).abs().sum(1);
  return side.defined() ? distance / side : distance;
}

Quotient l1_joint(const at::Tensor& error, const at::Tensor& counted) {
  return over_epsilon_more((counted * error).sum(), 2 * counted.sum());
}

at::Tensor peak_mass(const at::Tensor& p_teacher, const at::Tensor& mask) {
  const at::Tensor counted = at::threshold(keep_peaks(p_teacher), kPeakThreshold, 0);
  return sum_per_class(counted * over_cells(mask));
}

Quotient quality_focal(const at::Tensor& logits, const at::Tensor& teacher, const at::Tensor& mask,
                       double temperature) {
  const at::Tensor p_teacher = at::sigmoid(teacher);
  const Softened soft = soften(logits, teacher, p_teacher, temperature);
  const at::Tensor cells = (at::sigmoid(soft.logits) - soft.p_teacher).square() *
                           cross_entropy_cells(soft.logits, soft.p_teacher) * over_cells(mask);
  return over_at_least_one(soft.restored(sum_per_class(cells)), peak_mass(p_teacher, mask));
}

Quotient cross_entropy(const at::Tensor& logits, const at::Tensor& teacher, const at::Tensor& mask,
                       double temperature) {
  const at::Tensor p_teacher = at::sigmoid(teacher);
  const Softened soft = soften(logits, teacher, p_teacher, temperature);
  const at::Tensor cells = cross_entropy_cells(soft.logits, soft.p_teacher) * over_cells(mask);
  return over_at_least_one(soft.restored(sum_per_class(cells)), peak_mass(p_teacher, mask));
}

Quotient one_sided_relu(const at::Tensor& logits, const at::Tensor& teacher, const at::Tensor& mask, double floor) {
  const double zero = logit(floor);
  const at::Tensor target = at::relu(teacher - zero);
  const at::Tensor student = logits - zero;
  return masked_mean((at::where(target > 0, student, at::relu(student)) - target).square(), mask);
}

Quotient mean_squared_error(const at::Tensor& p_student, const at::Tensor& p_teacher, const at::Tensor& mask) {
  return masked_mean((p_student - p_teacher).square(), mask);
}

Quotient channel_wise(const at::Tensor& logits, const at::Tensor& teacher, const at::Tensor& mask, double floor,
                      double temperature) {
  const double least = logit(std::max(floor, kLeastFloor));
  const at::Tensor silent = teacher <= least;
  at::Tensor target = teacher.clamp_min(least) / temperature;
  at::Tensor own = at::where(silent, logits.clamp_min(least), logits) / temperature;
  at::Tensor views = mask;
  if (mask.dim() == 4) {
    // exp of this is 0 beside any supervised cell, and a view without one is flat on both sides.
    constexpr double kNowhere = -1e4;
    target = target.masked_fill(mask == 0, kNowhere);
    own = own.masked_fill(mask == 0, kNowhere);
    views = mask.flatten(2).amax(2);
  }
  const at::Tensor log_target = target.flatten(2).log_softmax(2), log_own = own.flatten(2).log_softmax(2);
  const at::Tensor divergence = (log_target.exp() * (log_target - log_own)).sum(2);  // (B,C)
  return over_at_least_one((divergence * views).sum(0) * (temperature * temperature), views.sum(0));
}

at::Tensor near_peaks(const at::Tensor& p_teacher, int radius) {
  const at::Tensor peaks = (keep_peaks(p_teacher) > kPeakThreshold).to(p_teacher.scalar_type());
  return radius == 0 ? peaks : at::max_pool2d(peaks, 2 * radius + 1, 1, radius);
}

Quotient boxes_per_class(const at::Tensor& error, const at::Tensor& weight, const at::Tensor& cls,
                         const at::Tensor& teacher, std::int64_t teachers, std::int64_t classes) {
  return over_epsilon_more(sum_per_group(weight * error, teacher * classes + cls, teachers * classes),
                           sum_per_group(weight, cls, classes).repeat({teachers}));
}

at::Tensor mean_side(const at::Tensor& wh, std::int64_t dim) {
  return wh.mean(dim, /*keepdim=*/true).clamp_min(1);
}

}  // namespace conclave
