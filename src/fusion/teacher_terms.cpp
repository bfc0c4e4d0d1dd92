#include "fusion/teacher_terms.h"

#include <ATen/ATen.h>

#include <utility>

#include "fusion/merge.h"
#include "fusion/teacher_boxes.h"

namespace conclave {
namespace {

// Per class: (K,).
Quotient distil_heat(const at::Tensor& student, const at::Tensor& teacher, const at::Tensor& mask,
                     const FusionOptions& options) {
  switch (options.loss) {
    case DistillLoss::kQfl:
      return quality_focal(student, teacher, mask, options.temperature);
    case DistillLoss::kBce:
      return cross_entropy(student, teacher, mask, options.temperature);
    case DistillLoss::kRelu:
      return one_sided_relu(student, teacher, mask, effective_floor(options));
    case DistillLoss::kProbPeaks:
      break;
  }
  return mean_squared_error(at::sigmoid(student), at::sigmoid(teacher), mask);
}

// Means over all cells of all classes that the same teachers serve, where the others add up a value per class.
bool is_mean(DistillLoss loss) {
  return loss == DistillLoss::kRelu || loss == DistillLoss::kProbPeaks;
}

// The student's channels of `classes`, without a copy where they lie side by side.
at::Tensor channels_of(const at::Tensor& heat, const std::vector<int>& classes) {
  const auto count = static_cast<std::int64_t>(classes.size());
  if (classes.back() - classes.front() + 1 == count) return heat.narrow(1, classes.front(), count);
  std::vector<at::Tensor> parts;
  for (const int cls : classes) parts.push_back(heat.narrow(1, cls, 1));
  return at::cat(parts, 1);
}

// Where the teachers' word on some classes counts: (B,K), or (B,K,H,W) when it depends on the cell.
at::Tensor heard(const at::Tensor& mask, const at::Tensor& heat, const std::vector<int>& classes,
                 const at::Tensor& cells, const FusionOptions& options) {
  if (!cells.defined() && !options.cells.peaks) return mask;
  at::Tensor heard = mask.unsqueeze(-1).unsqueeze(-1).expand_as(heat);
  if (cells.defined()) heard = heard * channels_of(cells, classes);
  if (options.cells.peaks) heard = heard * near_peaks(at::sigmoid(heat), options.cells.radius);
  return heard;
}

// Teachers that share classes share a heat term; its weight is the mean of theirs.
double heat_weight(const Members& members, const std::vector<TeacherChannels>& teachers) {
  double sum = 0;
  for (const std::size_t member : members) sum += teachers[member].loss_weight.heat;
  return sum / static_cast<double>(members.size());
}

std::string name_of(const Members& members, const std::vector<TeacherChannels>& teachers) {
  std::string name;
  for (const std::size_t member : members) name += (name.empty() ? "" : "+") + teachers[member].name;
  return name;
}

// A quotient per class, as the places of each group's values, in the order of `together`.
std::vector<Terms::Places> put_groups(Terms& terms, Quotient per_class, const Merged& merged, bool mean) {
  std::vector<Terms::Places> groups;
  if (mean) {
    std::vector<std::int64_t> group(merged.classes.size());
    std::int64_t count = 0;
    for (const auto& [members, classes] : merged.together) {
      for (const std::size_t k : classes) group[k] = count;
      ++count;
    }
    const at::Tensor of_class = at::tensor(group, per_class.count.options().dtype(at::kLong));
    for (const std::size_t place : terms.put(per_class.joined(of_class, count))) groups.push_back({place});
    return groups;
  }
  const Terms::Places places = terms.put(std::move(per_class));
  for (const auto& [members, classes] : merged.together) {
    groups.emplace_back();
    for (const std::size_t k : classes) groups.back().push_back(places[k]);
  }
  return groups;
}

}  // namespace

void add_teacher_terms(Terms& terms, const HeadOutputs& student, const BatchTargets& targets,
                       const std::vector<TeacherChannels>& teachers, const FusionOptions& options,
                       const at::Tensor& cells) {
  const std::int64_t classes = student.heat.size(1);
  std::vector<DenseTargets> dense;
  std::vector<TeacherVoice> voices;
  for (std::size_t t = 0; t < teachers.size(); ++t) {
    const DenseTargets& given = targets.teachers[t];
    const at::Tensor& heat = student.heat;
    require_fit(
        given.heat.size(0) == heat.size(0) && given.heat.size(2) == heat.size(2) && given.heat.size(3) == heat.size(3),
        "the targets of teacher '" + teachers[t].name + "' differ in shape from the student's heads");
    require_fit(targets.teacher_mask[t].sizes() == at::IntArrayRef({heat.size(0), classes}),
                "the mask of teacher '" + teachers[t].name + "' is not (views, classes)");
    const auto like = heat.options();
    dense.push_back({given.heat.to(like), given.index.to(heat.device()), given.wh.to(like), given.offset.to(like)});
    voices.push_back(voice_of(dense.back(), teachers[t], targets.teacher_mask[t].to(like)));
  }
  Merged merged = merge_voices(voices, teachers, classes, options.merge);
  if (merged.classes.empty()) return;

  // All classes and all teachers at once; what belongs to whom is told by places.
  const at::Tensor own = channels_of(student.heat, merged.classes);
  const at::Tensor mask = heard(merged.mask, merged.heat, merged.classes, cells, options);
  const auto heat_at = put_groups(terms, distil_heat(own, merged.heat, mask, options), merged, is_mean(options.loss));
  std::vector<Terms::Places> cwd_at;
  if (options.cwd.weight > 0) {
    cwd_at = put_groups(terms, channel_wise(own, merged.heat, mask, effective_floor(options), options.cwd.temperature),
                        merged, false);
  }

  if (cells.defined() || options.cells.peaks) {
    for (std::size_t t = 0; t < voices.size(); ++t) {
      const TeacherVoice& voice = voices[t];
      if (voice.classes.empty()) continue;
      const at::Tensor counted = heard(at::ones_like(voice.mask), voice.heat, voice.classes, cells, options);
      for (std::size_t k = 0; k < voice.classes.size(); ++k) {
        merged.shares[t][k] = merged.shares[t][k] * counted.narrow(1, static_cast<std::int64_t>(k), 1);
      }
    }
  }
  const TaughtBoxes boxes = list_boxes(dense, voices, merged.shares, options);
  const at::Tensor wh = pair_of_class(at_cells(student.wh, boxes.index), boxes.cls);
  const at::Tensor offset = at_cells(student.offset, boxes.index);
  const at::Tensor side = options.norm_wh ? mean_side(boxes.wh, 1).squeeze(1) : at::Tensor();
  const auto put_boxes = [&](const at::Tensor& error) {
    return terms.put(boxes_per_teacher(error, boxes.weight, boxes.owner, std::ssize(teachers)));
  };
  const auto wh_at = put_boxes(l1_error(wh, boxes.wh, side));
  const auto offset_at = put_boxes(l1_error(offset, boxes.offset, {}));
  Terms::Places iou_at;
  if (options.box != BoxLoss::kL1) {
    iou_at = put_boxes(overlap_error(options.box, {wh, offset}, {boxes.wh, boxes.offset}));
  }

  const LossWeights scale = default_scale(options.loss, options.norm_wh);
  auto group = merged.together.begin();
  std::size_t g = 0;
  for (std::size_t t = 0; t < teachers.size(); ++t) {
    // Groups are sorted by their first teacher, which is where their heat stands among the terms.
    for (; group != merged.together.end() && group->first.front() == t; ++group, ++g) {
      const std::string name = name_of(group->first, teachers);
      const double weight = heat_weight(group->first, teachers), set = options.balance.value.heat;
      terms.add(name + "/heat", heat_at[g], {options.distill.heat * weight, scale.heat, set});
      if (!cwd_at.empty()) terms.add(name + "/cwd", cwd_at[g], {options.cwd.weight * weight, 1, set});
    }
    if (voices[t].classes.empty()) continue;
    const auto add = [&](const char* kind, std::size_t place, double LossWeights::*weight) {
      terms.add(
          teachers[t].name + kind, {place},
          {options.distill.*weight * teachers[t].loss_weight.*weight, scale.*weight, options.balance.value.*weight});
    };
    add("/wh", wh_at[t], &LossWeights::wh);
    add("/offset", offset_at[t], &LossWeights::offset);
    if (!iou_at.empty()) add("/iou", iou_at[t], &LossWeights::iou);
  }
}

}  // namespace conclave
