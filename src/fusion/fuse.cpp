#include "fusion/fuse.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/error.h"
#include "fusion/label_terms.h"
#include "fusion/teacher_terms.h"

namespace conclave {
namespace {

at::Tensor as_computed(const at::Tensor& head) {
  return head.scalar_type() == at::kDouble ? head : head.to(at::kFloat);
}

void require_heads(const HeadOutputs& heads) {
  require_fit(heads.heat.dim() == 4 && heads.wh.dim() == 4 && heads.offset.dim() == 4,
              "the student's heads are not (B,C,H,W), (B,2,H,W), (B,2,H,W)");
  const std::int64_t views = heads.heat.size(0), height = heads.heat.size(2), width = heads.heat.size(3);
  const std::int64_t pairs = heads.wh.size(1) == 2 ? 1 : heads.heat.size(1);
  require_fit(heads.wh.sizes() == at::IntArrayRef({views, 2 * pairs, height, width}) &&
                  heads.offset.sizes() == at::IntArrayRef({views, 2, height, width}),
              "the student's heads are not (B,C,H,W), (B,2,H,W) or (B,2C,H,W), (B,2,H,W)");
}

// Cell by cell, (B,C,H,W): where labels are heard, where teachers are. A class that both supervise on a view is the
// labels' where they drew something and the teachers' elsewhere.
std::pair<at::Tensor, at::Tensor> divide_cells(const at::Tensor& label_mask, const BatchTargets& targets) {
  const at::Tensor drawn = (targets.labels.heat > 0).to(label_mask.options());
  const auto over_cells = [](const at::Tensor& mask) { return mask.unsqueeze(-1).unsqueeze(-1); };
  const at::Tensor labelled = over_cells(label_mask);
  if (targets.teacher_mask.empty()) return {labelled.expand_as(drawn), at::Tensor()};
  const at::Tensor taught = over_cells(at::stack(targets.teacher_mask).amax(0).to(label_mask.options()));
  return {labelled * (1 - taught * (1 - drawn)), 1 - labelled * drawn};
}

}  // namespace

LossWeights default_scale(DistillLoss loss, bool norm_wh) {
  const double wh = norm_wh ? 1.0 : 0.1;
  switch (loss) {
    case DistillLoss::kQfl:
      return {.heat = 1.0, .wh = wh, .offset = 1.0};
    case DistillLoss::kRelu:
      return {.heat = 30.0, .wh = wh, .offset = 1.0};
    case DistillLoss::kProbPeaks:
      return {.heat = 1000.0, .wh = wh, .offset = 1.0};
    case DistillLoss::kBce:
      break;
  }
  return {.heat = 0.1, .wh = wh, .offset = 1.0};
}

LossWeights label_scale(bool norm_wh) {
  return {.heat = 1.0, .wh = norm_wh ? 1.0 : 0.1, .offset = 1.0};
}

double effective_floor(const FusionOptions& options) {
  const bool relu = options.loss == DistillLoss::kRelu;
  const double floor = options.floor;
  if (floor < 0 || floor >= 1 || (relu && floor <= 0)) {
    throw Error("a floor of " + std::to_string(floor) + " leaves nothing to learn from", "fusion",
                relu ? "relu wants a probability between 0 and 1: 0.5 as published, 0.05 learns better"
                     : "choose a probability from 0 (keep everything) to below 1",
                Exit::kUsage);
  }
  return floor;
}

double effective_box_floor(const FusionOptions& options) {
  return std::max(options.box_floor, effective_floor(options));
}

bool asks_every_view(const FusionOptions& options) {
  return distils(options.method) || (options.method == Method::kPseudo && options.pseudo.per_view);
}

SparseOptions sparse_options(const FusionOptions& options) {
  if (options.method == Method::kPseudo) {  // boxes are decoded, whatever the loss: every peak that may become one
    const double least = options.pseudo.threshold.value_or(kLeastPseudoScore);
    return {static_cast<float>(std::min(effective_floor(options), least)), BoxRule::kPeaks, 0};
  }
  const auto floor = static_cast<float>(effective_floor(options));
  if (options.loss == DistillLoss::kProbPeaks) return {floor, BoxRule::kPeaks, 0};
  return {floor, BoxRule::kAbove, static_cast<float>(effective_box_floor(options))};
}

Losses fuse(const HeadOutputs& student, const BatchTargets& targets, const std::vector<TeacherChannels>& teachers,
            const FusionOptions& options, const JoinCounts& join) {
  require_heads(student);
  const HeadOutputs heads{as_computed(student.heat), as_computed(student.wh), as_computed(student.offset)};
  const auto views = heads.heat.size(0), classes = heads.heat.size(1);
  const bool by_labels = options.method != Method::kKd, by_teachers = distils(options.method);
  if (by_teachers) {
    require_fit(targets.teachers.size() == teachers.size() && targets.teacher_mask.size() == teachers.size(),
                "not one set of targets and one mask per teacher");
  }
  Terms terms;
  at::Tensor cells;  // where teachers are heard
  if (by_labels) {
    require_fit(targets.label_mask.defined() && targets.label_mask.sizes() == at::IntArrayRef({views, classes}),
                "the mask of labels is not (views, classes)");
    const at::Tensor mask = targets.label_mask.to(heads.heat.options());
    at::Tensor drawn;  // where labels are heard
    if (by_teachers && options.labels_win) std::tie(drawn, cells) = divide_cells(mask, targets);
    add_label_terms(terms, heads, targets.labels, mask, options, drawn);
  }
  if (by_teachers) add_teacher_terms(terms, heads, targets, teachers, options, cells);
  Losses losses = terms.take(options.balance.fixed_value, join);
  require_fit(!losses.terms.empty(), "nothing supervises the student");
  return losses;
}

BatchTargets make_masks(const Coverage& coverage, const std::vector<int>& sets, std::size_t teachers) {
  const std::size_t classes = coverage.empty() ? 0 : coverage.front().size();
  const auto shape = {static_cast<std::int64_t>(sets.size()), static_cast<std::int64_t>(classes)};
  BatchTargets targets;
  targets.label_mask = at::zeros(shape, at::kFloat);
  std::vector<float*> teacher_masks;
  for (std::size_t t = 0; t < teachers; ++t) {
    targets.teacher_mask.push_back(at::zeros(shape, at::kFloat));
    teacher_masks.push_back(targets.teacher_mask.back().data_ptr<float>());
  }
  float* label_mask = targets.label_mask.data_ptr<float>();
  for (std::size_t b = 0; b < sets.size(); ++b) {
    const std::vector<ClassSource>& row = coverage.at(static_cast<std::size_t>(sets[b]));
    for (std::size_t c = 0; c < classes; ++c) {
      const ClassSource& source = row[c];
      if (source.labels || source.background) label_mask[b * classes + c] = 1;
      if (source.pseudo) continue;  // its teachers' boxes are labels
      for (const int t : source.teachers) teacher_masks.at(static_cast<std::size_t>(t))[b * classes + c] = 1;
    }
  }
  return targets;
}

}  // namespace conclave
