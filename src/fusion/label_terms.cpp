#include "fusion/label_terms.h"

#include <ATen/ATen.h>

#include <utility>

#include "fusion/losses.h"

namespace conclave {

void add_label_terms(Terms& terms, const HeadOutputs& student, const GroundTruth& truth, const at::Tensor& mask,
                     const FusionOptions& options, const at::Tensor& cells) {
  require_fit(truth.heat.sizes() == student.heat.sizes(), "the labels' heat map differs in shape from the student's");
  const LossWeights scale = label_scale(options.norm_wh);
  const std::int64_t classes = student.heat.size(1), area = student.heat.size(2) * student.heat.size(3);
  const at::Tensor& where = cells.defined() ? cells : mask;
  const at::Tensor target_wh = truth.wh.to(student.wh.options()), target_offset = truth.offset.to(student.wh.options());
  const at::Tensor counted = supervised_objects(truth, where, area);
  const at::Tensor cls = truth.cls.to(mask.device());
  const at::Tensor side = options.norm_wh ? mean_side(target_wh, 1).squeeze(1) : at::Tensor();

  const at::Tensor wh = pair_of_class(at_cells(student.wh, truth.index), cls);
  const at::Tensor offset = at_cells(student.offset, truth.index);
  const auto weighted = [&](const at::Tensor& error) {
    return truth.weight.defined() ? error * truth.weight.to(error.options()) : error;
  };
  const auto box_term = [&](const at::Tensor& predicted, const at::Tensor& target, const at::Tensor& divisor) {
    const at::Tensor error = weighted(l1_error(predicted, target, divisor));
    return options.per_class ? objects_per_class(error, counted, cls, classes) : l1_joint(error, counted);
  };
  const auto add = [&](const char* name, Quotient quotient, double LossWeights::*kind) {
    if (options.per_class && distils(options.method)) quotient = quotient.of_views(mask);
    terms.add(name, terms.put(std::move(quotient)), {options.label.*kind, scale.*kind, options.balance.value.*kind});
  };
  add("labels/heat",
      options.per_class ? focal_per_class(student.heat, truth, where)
                        : focal_joint(student.heat, truth.heat, where, centre_weights(truth)),
      &LossWeights::heat);
  add("labels/wh", box_term(wh, target_wh, side), &LossWeights::wh);
  add("labels/offset", box_term(offset, target_offset, {}), &LossWeights::offset);
  if (options.box == BoxLoss::kL1) return;
  const at::Tensor error = weighted(overlap_error(options.box, {wh, offset}, {target_wh, target_offset}));
  add("labels/iou", options.per_class ? objects_per_class(error, counted, cls, classes) : objects_joint(error, counted),
      &LossWeights::iou);
}

}  // namespace conclave
