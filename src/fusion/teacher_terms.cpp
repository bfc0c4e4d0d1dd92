#include "fusion/teacher_terms.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <utility>

#include "fusion/constant.h"
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

// Is it a mean over cells, where the others are divided by the objects of each class?
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
double heat_weight(const TeacherGroup& group, const std::vector<TeacherChannels>& teachers) {
  double sum = 0;
  for (const std::size_t member : group) sum += teachers[member].loss_weight.heat;
  return sum / static_cast<double>(group.size());
}

std::string name_of(const TeacherGroup& group, const std::vector<TeacherChannels>& teachers) {
  std::string name;
  for (const std::size_t member : group) name += (name.empty() ? "" : "+") + teachers[member].name;
  return name;
}

using GroupPlaces = std::map<TeacherGroup, Terms::Places>;

// A quotient per class; each group's term adds up the values of its classes.
GroupPlaces put_sums(Terms& terms, Quotient per_class, const Merged& merged) {
  const Terms::Places all = terms.put(std::move(per_class));
  GroupPlaces places;
  for (const auto& [group, classes] : merged.groups) {
    for (const std::size_t k : classes) places[group].push_back(all[k]);
  }
  return places;
}

// A mean per class; each group's term is the mean over the cells of all its classes.
GroupPlaces put_means(Terms& terms, const Quotient& per_class, const Merged& merged) {
  std::vector<std::int64_t> group_of(merged.classes.size());
  std::int64_t number = 0;
  for (const auto& [group, classes] : merged.groups) {
    for (const std::size_t k : classes) group_of[k] = number;
    ++number;
  }
  const at::Tensor groups = constant(group_of, per_class.count.options().dtype(at::kLong));
  const Terms::Places all = terms.put(per_class.joined(groups, number));
  GroupPlaces places;
  auto place = all.begin();
  for (const auto& [group, classes] : merged.groups) places[group] = {*place++};
  return places;
}

// What the teachers said, as the loss wants it.
struct Said {
  std::vector<DenseTargets> dense;
  std::vector<TeacherVoice> voices;
};

Said take_in(const BatchTargets& targets, const std::vector<TeacherChannels>& teachers, const at::Tensor& heat) {
  Said said;
  const auto like = heat.options();
  for (std::size_t t = 0; t < teachers.size(); ++t) {
    const DenseTargets& given = targets.teachers[t];
    const std::int64_t boxes = given.index.numel();
    const bool listed = given.index.dim() == 1 && given.wh.sizes() == at::IntArrayRef({boxes, 2}) &&
                        given.offset.sizes() == at::IntArrayRef({boxes, 2});
    require_fit(listed && given.heat.size(0) == heat.size(0) && given.heat.sizes().slice(2) == heat.sizes().slice(2),
                "the targets of teacher '" + teachers[t].name + "' differ in shape from the student's heads");
    require_fit(targets.teacher_mask[t].sizes() == at::IntArrayRef({heat.size(0), heat.size(1)}),
                "the mask of teacher '" + teachers[t].name + "' is not (views, classes)");
    said.dense.push_back(
        {given.heat.to(like), given.index.to(heat.device()), given.wh.to(like), given.offset.to(like)});
    said.voices.push_back(voice_of(said.dense.back(), teachers[t], targets.teacher_mask[t].to(like)));
  }
  return said;
}

// Where teachers are heard around their peaks alone, their boxes are, too.
void cut_shares(Merged& merged, const std::vector<TeacherVoice>& voices, const FusionOptions& options) {
  if (!options.cells.peaks) return;
  for (std::size_t t = 0; t < voices.size(); ++t) {
    const TeacherVoice& voice = voices[t];
    if (voice.classes.empty()) continue;
    const at::Tensor counted = heard(at::ones_like(voice.mask), voice.heat, voice.classes, {}, options);
    for (std::size_t k = 0; k < voice.classes.size(); ++k) {
      merged.shares[t][k] = merged.shares[t][k] * counted.narrow(1, static_cast<std::int64_t>(k), 1);
    }
  }
}

// On which views anybody speaks on the class, for every one of the student's: (B,C).
at::Tensor views_heard(const Merged& merged, std::int64_t classes) {
  const at::Tensor place = constant(std::vector<std::int64_t>(merged.classes.begin(), merged.classes.end()),
                                    merged.mask.options().dtype(at::kLong));
  return at::zeros({merged.mask.size(0), classes}, merged.mask.options()).index_copy(1, place, merged.mask);
}

// A label's cells are the label's: the errors of teachers' boxes there are 0, while their weights still divide.
at::Tensor where_heard(const at::Tensor& error, const TaughtBoxes& boxes, const at::Tensor& cells) {
  if (!cells.defined()) return error;
  return error * at_cells(cells, boxes.index).gather(1, boxes.cls.unsqueeze(1)).squeeze(1);
}

// Where the values of each kind stand; those that nobody asked for are empty.
struct TermPlaces {
  GroupPlaces heat, cwd;
  Terms::Places wh, offset, iou;  // per teacher and class of the student, teacher by teacher
};

// All classes and all teachers at once.
TermPlaces put_values(Terms& terms, const HeadOutputs& student, const Said& said, const Merged& merged,
                      const FusionOptions& options, const at::Tensor& cells) {
  TermPlaces places;
  const at::Tensor own = channels_of(student.heat, merged.classes);
  const at::Tensor mask = heard(merged.mask, merged.heat, merged.classes, cells, options);
  Quotient heat = distil_heat(own, merged.heat, mask, options).of_views(merged.mask);
  // Objects that labels speak for are objects still: without them the background around them would be all there is.
  if (cells.defined() && !is_mean(options.loss)) heat.count = peak_mass(at::sigmoid(merged.heat), merged.mask);
  places.heat = is_mean(options.loss) ? put_means(terms, heat, merged) : put_sums(terms, heat, merged);
  if (options.cwd.weight > 0) {
    places.cwd = put_sums(
        terms,
        channel_wise(own, merged.heat, mask, effective_floor(options), options.cwd.temperature).of_views(merged.mask),
        merged);
  }

  const TaughtBoxes boxes = list_boxes(said.dense, said.voices, merged.shares, options);
  const at::Tensor wh = pair_of_class(at_cells(student.wh, boxes.index), boxes.cls);
  const at::Tensor offset = at_cells(student.offset, boxes.index);
  const std::int64_t teachers = std::ssize(said.voices), classes = student.heat.size(1);
  const at::Tensor heard_on = views_heard(merged, classes).repeat({1, teachers});
  const auto put_boxes = [&](const at::Tensor& error) {
    return terms.put(
        boxes_per_class(where_heard(error, boxes, cells), boxes.weight, boxes.cls, boxes.owner, teachers, classes)
            .of_views(heard_on));
  };
  places.wh = put_boxes(l1_error(wh, boxes.wh, options.norm_wh ? mean_side(boxes.wh, 1).squeeze(1) : at::Tensor()));
  places.offset = put_boxes(l1_error(offset, boxes.offset, {}));
  if (options.box != BoxLoss::kL1) {
    places.iou = put_boxes(overlap_error(options.box, {wh, offset}, {boxes.wh, boxes.offset}));
  }
  return places;
}

// The places of the classes that teacher t serves.
Terms::Places of_teacher(const Terms::Places& all, std::size_t t, const TeacherVoice& voice, std::int64_t classes) {
  Terms::Places own;
  for (const int cls : voice.classes)
    own.push_back(all[t * static_cast<std::size_t>(classes) + static_cast<std::size_t>(cls)]);
  return own;
}

}  // namespace

void add_teacher_terms(Terms& terms, const HeadOutputs& student, const BatchTargets& targets,
                       const std::vector<TeacherChannels>& teachers, const FusionOptions& options,
                       const at::Tensor& cells) {
  const Said said = take_in(targets, teachers, student.heat);
  Merged merged = merge_voices(said.voices, teachers, student.heat.size(1), options.merge);
  if (merged.classes.empty()) return;
  cut_shares(merged, said.voices, options);
  const TermPlaces places = put_values(terms, student, said, merged, options, cells);

  const LossWeights scale = default_scale(options.loss, options.norm_wh);
  for (std::size_t t = 0; t < teachers.size(); ++t) {
    for (const auto& [group, heat] : places.heat) {
      if (group.front() != t) continue;  // its place among the terms is that of its first teacher
      const std::string name = name_of(group, teachers);
      const double weight = heat_weight(group, teachers), set = options.balance.value.heat;
      terms.add(name + "/heat", heat, {options.distill.heat * weight, scale.heat, set});
      if (!places.cwd.empty()) terms.add(name + "/cwd", places.cwd.at(group), {options.cwd.weight * weight, 1, set});
    }
    if (said.voices[t].classes.empty()) continue;
    const auto add = [&](const char* kind, const Terms::Places& all, double LossWeights::*of) {
      terms.add(teachers[t].name + kind, of_teacher(all, t, said.voices[t], student.heat.size(1)),
                {options.distill.*of * teachers[t].loss_weight.*of, scale.*of, options.balance.value.*of});
    };
    add("/wh", places.wh, &LossWeights::wh);
    add("/offset", places.offset, &LossWeights::offset);
    if (!places.iou.empty()) add("/iou", places.iou, &LossWeights::iou);
  }
}

}  // namespace conclave
