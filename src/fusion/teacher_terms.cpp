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

// What the teachers said, as the loss wants it.
struct Said {
  std::vector<DenseTargets> dense;
  std::vector<TeacherVoice> voices;
};

Said read(const BatchTargets& targets, const std::vector<TeacherChannels>& teachers, const at::Tensor& heat) {
  Said said;
  const auto like = heat.options();
  for (std::size_t t = 0; t < teachers.size(); ++t) {
    const DenseTargets& given = targets.teachers[t];
    require_fit(
        given.heat.size(0) == heat.size(0) && given.heat.size(2) == heat.size(2) && given.heat.size(3) == heat.size(3),
        "the targets of teacher '" + teachers[t].name + "' differ in shape from the student's heads");
    require_fit(targets.teacher_mask[t].sizes() == at::IntArrayRef({heat.size(0), heat.size(1)}),
                "the mask of teacher '" + teachers[t].name + "' is not (views, classes)");
    said.dense.push_back(
        {given.heat.to(like), given.index.to(heat.device()), given.wh.to(like), given.offset.to(like)});
    said.voices.push_back(voice_of(said.dense.back(), teachers[t], targets.teacher_mask[t].to(like)));
  }
  return said;
}

// A teacher's share of a box ends where it is not heard.
void cut_shares(Merged& merged, const std::vector<TeacherVoice>& voices, const at::Tensor& cells,
                const FusionOptions& options) {
  if (!cells.defined() && !options.cells.peaks) return;
  for (std::size_t t = 0; t < voices.size(); ++t) {
    const TeacherVoice& voice = voices[t];
    if (voice.classes.empty()) continue;
    const at::Tensor counted = heard(at::ones_like(voice.mask), voice.heat, voice.classes, cells, options);
    for (std::size_t k = 0; k < voice.classes.size(); ++k) {
      merged.shares[t][k] = merged.shares[t][k] * counted.narrow(1, static_cast<std::int64_t>(k), 1);
    }
  }
}

// Where the values of each kind stand; those that nobody asked for are empty.
struct Values {
  std::vector<Terms::Places> heat, cwd;  // per group of teachers
  Terms::Places wh, offset, iou;         // per teacher
};

// All classes and all teachers at once.
Values put_values(Terms& terms, const HeadOutputs& student, const Said& said, const Merged& merged,
                  const FusionOptions& options, const at::Tensor& cells) {
  Values places;
  const at::Tensor own = channels_of(student.heat, merged.classes);
  const at::Tensor mask = heard(merged.mask, merged.heat, merged.classes, cells, options);
  places.heat = put_groups(terms, distil_heat(own, merged.heat, mask, options), merged, is_mean(options.loss));
  if (options.cwd.weight > 0) {
    places.cwd = put_groups(
        terms, channel_wise(own, merged.heat, mask, effective_floor(options), options.cwd.temperature), merged, false);
  }

  const TaughtBoxes boxes = list_boxes(said.dense, said.voices, merged.shares, options);
  const at::Tensor wh = pair_of_class(at_cells(student.wh, boxes.index), boxes.cls);
  const at::Tensor offset = at_cells(student.offset, boxes.index);
  const auto put_boxes = [&](const at::Tensor& error) {
    return terms.put(boxes_per_teacher(error, boxes.weight, boxes.owner, std::ssize(said.voices)));
  };
  places.wh = put_boxes(l1_error(wh, boxes.wh, options.norm_wh ? mean_side(boxes.wh, 1).squeeze(1) : at::Tensor()));
  places.offset = put_boxes(l1_error(offset, boxes.offset, {}));
  if (options.box != BoxLoss::kL1) {
    places.iou = put_boxes(overlap_error(options.box, {wh, offset}, {boxes.wh, boxes.offset}));
  }
  return places;
}

}  // namespace

void add_teacher_terms(Terms& terms, const HeadOutputs& student, const BatchTargets& targets,
                       const std::vector<TeacherChannels>& teachers, const FusionOptions& options,
                       const at::Tensor& cells) {
  const Said said = read(targets, teachers, student.heat);
  Merged merged = merge_voices(said.voices, teachers, student.heat.size(1), options.merge);
  if (merged.classes.empty()) return;
  cut_shares(merged, said.voices, cells, options);
  const Values places = put_values(terms, student, said, merged, options, cells);

  const LossWeights scale = default_scale(options.loss, options.norm_wh);
  auto group = merged.together.begin();
  std::size_t g = 0;
  for (std::size_t t = 0; t < teachers.size(); ++t) {
    // Groups are sorted by their first teacher, which is where their heat stands among the terms.
    for (; group != merged.together.end() && group->first.front() == t; ++group, ++g) {
      const std::string name = name_of(group->first, teachers);
      const double weight = heat_weight(group->first, teachers), set = options.balance.value.heat;
      terms.add(name + "/heat", places.heat[g], {options.distill.heat * weight, scale.heat, set});
      if (!places.cwd.empty()) terms.add(name + "/cwd", places.cwd[g], {options.cwd.weight * weight, 1, set});
    }
    if (said.voices[t].classes.empty()) continue;
    const auto add = [&](const char* kind, std::size_t place, double LossWeights::*of) {
      terms.add(teachers[t].name + kind, {place},
                {options.distill.*of * teachers[t].loss_weight.*of, scale.*of, options.balance.value.*of});
    };
    add("/wh", places.wh[t], &LossWeights::wh);
    add("/offset", places.offset[t], &LossWeights::offset);
    if (!places.iou.empty()) add("/iou", places.iou[t], &LossWeights::iou);
  }
}

}  // namespace conclave
