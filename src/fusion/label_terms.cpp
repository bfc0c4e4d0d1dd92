#include "fusion/label_terms.h"

#include <ATen/ATen.h>

#include "fusion/losses.h"

namespace conclave {
namespace {

// Of the head's values at the centres, (N,2) or with a pair per class (N,2C), each object's own pair: (N,2).
at::Tensor wh_of_classes(const at::Tensor& at_centres, const at::Tensor& cls, std::int64_t classes) {
  if (at_centres.size(1) == 2) return at_centres;
  const at::Tensor pair = cls.view({-1, 1, 1}).expand({-1, 1, 2});
  return at_centres.view({-1, classes, 2}).gather(1, pair).squeeze(1);
}

}  // namespace

void add_label_terms(Terms& terms, const HeadOutputs& student, const GroundTruth& truth, const at::Tensor& mask,
                     const FusionOptions& options) {
  require_fit(truth.heat.sizes() == student.heat.sizes(), "the labels' heat map differs in shape from the student's");
  const LossWeights scale = label_scale(options.norm_wh);
  const std::int64_t classes = student.heat.size(1), cells = student.heat.size(2) * student.heat.size(3);
  const at::Tensor target_wh = truth.wh.to(student.wh.options()), target_offset = truth.offset.to(student.wh.options());
  at::Tensor weight = supervised_objects(truth, mask, cells);
  if (truth.weight.defined()) weight = weight * truth.weight.to(weight.options());
  const at::Tensor cls = truth.cls.to(mask.device());
  const at::Tensor side = options.norm_wh ? mean_side(target_wh, 1).squeeze(1) : at::Tensor();

  const at::Tensor wh = wh_of_classes(at_centres(student.wh, truth), cls, classes);
  const at::Tensor offset = at_centres(student.offset, truth);
  const auto box_term = [&](const at::Tensor& predicted, const at::Tensor& target, const at::Tensor& divisor) {
    return options.per_class ? l1_per_class(predicted, target, weight, divisor, cls, classes)
                             : l1_joint(predicted, target, weight, divisor);
  };
  const auto factor = [&](double LossWeights::*kind) {
    return TermFactor{options.label.*kind, scale.*kind, options.balance.value.*kind};
  };
  terms.add("labels/heat",
            options.per_class ? focal_per_class(student.heat, truth, mask)
                              : focal_joint(student.heat, truth.heat, mask, centre_weights(truth)),
            factor(&LossWeights::heat));
  terms.add("labels/wh", box_term(wh, target_wh, side), factor(&LossWeights::wh));
  terms.add("labels/offset", box_term(offset, target_offset, {}), factor(&LossWeights::offset));
  if (options.box == BoxLoss::kL1) return;
  const at::Tensor error = overlap_error(options.box, {wh, offset}, {target_wh, target_offset});
  terms.add("labels/iou",
            options.per_class ? objects_per_class(error, weight, cls, classes) : objects_joint(error, weight),
            factor(&LossWeights::iou));
}

}  // namespace conclave
