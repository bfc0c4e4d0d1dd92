#include "fusion/teacher_terms.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>

#include "fusion/logit.h"
#include "fusion/merge.h"
#include "models/decode.h"

namespace conclave {
namespace {

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

// How sure the teacher is of its box, per cell and class: (B,K,H,W).
at::Tensor confidence(const at::Tensor& logits, const FusionOptions& options) {
  if (options.loss == DistillLoss::kProbPeaks) return keep_peaks(at::sigmoid(logits));
  return at::relu(logits - logit(effective_box_floor(options)));
}

// Several tensors with one channel each as one.
at::Tensor joined(const std::vector<at::Tensor>& parts) {
  return parts.size() == 1 ? parts.front() : at::cat(parts, 1);
}

// The student's channels of `classes`, without a copy where they lie side by side.
at::Tensor channels_of(const at::Tensor& heat, const std::vector<int>& classes) {
  const auto count = static_cast<std::int64_t>(classes.size());
  if (classes.back() - classes.front() + 1 == count) return heat.narrow(1, classes.front(), count);
  std::vector<at::Tensor> parts;
  for (const int cls : classes) parts.push_back(heat.narrow(1, cls, 1));
  return at::cat(parts, 1);
}

// The classes that exactly these teachers serve, merged.
struct Group {
  std::vector<int> classes;
  std::vector<at::Tensor> heats, masks;
};

// A teacher's say in a class where it is one of several.
double weight_on(const TeacherChannels& teacher, int cls) {
  if (teacher.channel_weight.empty()) return teacher.weight;
  double weight = 0;
  for (std::size_t i = 0; i < teacher.student_class.size(); ++i) {
    if (teacher.student_class[i] == cls) weight = std::max(weight, teacher.channel_weight.at(i));
  }
  return weight;
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

// The student's width and height, (B,2,H,W), that a teacher's one box per cell is compared with: where each class has
// its own, those of the class that the teacher sees most.
at::Tensor wh_seen_by(const TeacherVoice& voice, const at::Tensor& wh, std::int64_t classes) {
  if (wh.size(1) == 2) return wh;
  const at::Tensor served = at::tensor(std::vector<std::int64_t>(voice.classes.begin(), voice.classes.end()),
                                       wh.options().dtype(at::kLong).requires_grad(false));
  const at::Tensor strongest = served.index_select(0, voice.heat.argmax(1).flatten());
  const std::int64_t views = wh.size(0), height = wh.size(2), width = wh.size(3);
  const at::Tensor pair = strongest.view({views, 1, 1, height, width}).expand({views, 1, 2, height, width});
  return wh.view({views, classes, 2, height, width}).gather(1, pair).squeeze(1);
}

// How sure, (B,1,H,W), the teacher is of its one box in each cell. It counts where the teacher does, both in the class
// whose box it is, the strongest, and in the one that it is surest of (prob_peaks: another one may be the peak).
at::Tensor sure_of_box(const at::Tensor& heat, const at::Tensor& confidence, const at::Tensor& share) {
  if (heat.size(1) == 1) return confidence * share;
  const auto [most, surest] = confidence.max(1, /*keepdim=*/true);
  const at::Tensor shares = share.expand_as(heat), strongest = heat.argmax(1, /*keepdim=*/true);
  return most * at::minimum(shares.gather(1, surest), shares.gather(1, strongest));
}

std::string name_of(const std::vector<std::size_t>& members, const std::vector<TeacherChannels>& teachers) {
  std::string name;
  for (const std::size_t member : members) name += (name.empty() ? "" : "+") + teachers[member].name;
  return name;
}

// Teachers that share classes share a heat term; its weight is the mean of theirs.
double heat_weight(const std::vector<std::size_t>& members, const std::vector<TeacherChannels>& teachers) {
  double sum = 0;
  for (const std::size_t member : members) sum += teachers[member].loss_weight.heat;
  return sum / static_cast<double>(members.size());
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
    require_fit(given.heat.size(0) == student.heat.size(0) && given.wh.sizes() == student.offset.sizes(),
                "the targets of teacher '" + teachers[t].name + "' differ in shape from the student's heads");
    require_fit(targets.teacher_mask[t].sizes() == at::IntArrayRef({student.heat.size(0), classes}),
                "the mask of teacher '" + teachers[t].name + "' is not (views, classes)");
    const auto like = student.heat.options();
    dense.push_back({given.heat.to(like), given.wh.to(like), given.offset.to(like), given.box.to(like)});
    voices.push_back(voice_of(dense.back(), teachers[t], targets.teacher_mask[t].to(like)));
  }

  // Class by class, in class order: merge, and note each teacher's share.
  std::map<std::vector<std::size_t>, Group> groups;
  std::vector<std::vector<at::Tensor>> shares(teachers.size());
  for (int cls = 0; cls < classes; ++cls) {
    std::vector<std::size_t> serving;
    std::vector<at::Tensor> heats, masks;
    std::vector<double> weights;
    for (std::size_t t = 0; t < voices.size(); ++t) {
      const auto& list = voices[t].classes;
      const auto found = std::find(list.begin(), list.end(), cls);
      if (found == list.end()) continue;
      const std::int64_t k = found - list.begin();
      serving.push_back(t);
      heats.push_back(voices[t].heat.narrow(1, k, 1));
      masks.push_back(voices[t].mask.narrow(1, k, 1));
      weights.push_back(weight_on(teachers[t], cls));
    }
    if (serving.empty()) continue;
    const MergedClass merged = merge_class(heats, masks, weights, options.merge);
    Group& group = groups[serving];
    group.classes.push_back(cls);
    group.heats.push_back(merged.heat);
    group.masks.push_back(merged.mask);
    for (std::size_t i = 0; i < serving.size(); ++i) shares[serving[i]].push_back(merged.shares[i]);
  }

  const LossWeights scale = default_scale(options.loss, options.norm_wh);
  auto group = groups.begin();
  for (std::size_t t = 0; t < teachers.size(); ++t) {
    // Groups are sorted by their first teacher, which is where their heat stands among the terms.
    for (; group != groups.end() && group->first.front() == t; ++group) {
      const auto& [members, merged] = *group;
      const std::string name = name_of(members, teachers);
      const double weight = heat_weight(members, teachers);
      const at::Tensor own = channels_of(student.heat, merged.classes), heat = joined(merged.heats);
      const at::Tensor mask = heard(joined(merged.masks), heat, merged.classes, cells, options);
      terms.add(name + "/heat", distil_heat(own, heat, mask, options),
                {options.distill.heat * weight, scale.heat, options.balance.value.heat});
      if (options.cwd.weight > 0) {
        terms.add(name + "/cwd", channel_wise(own, heat, mask, effective_floor(options), options.cwd.temperature),
                  {options.cwd.weight * weight, 1, options.balance.value.heat});
      }
    }
    const TeacherVoice& voice = voices[t];
    if (voice.classes.empty()) continue;
    const DenseTargets& given = dense[t];
    const auto factor = [&](double LossWeights::*kind) {
      return TermFactor{options.distill.*kind * teachers[t].loss_weight.*kind, scale.*kind,
                        options.balance.value.*kind};
    };
    at::Tensor share = shares[t].size() == 1 ? shares[t].front() : at::cat(at::broadcast_tensors(shares[t]), 1);
    if (cells.defined() || options.cells.peaks) {
      share = share * heard(at::ones_like(voice.mask), voice.heat, voice.classes, cells, options);
    }
    const at::Tensor weight = sure_of_box(voice.heat, confidence(voice.heat, options), share) * given.box;
    const at::Tensor side = options.norm_wh ? mean_side(given.wh, 1) : at::Tensor();
    const at::Tensor wh = wh_seen_by(voice, student.wh, classes);
    terms.add(teachers[t].name + "/wh", weighted_l1(wh, given.wh, weight, side), factor(&LossWeights::wh));
    terms.add(teachers[t].name + "/offset", weighted_l1(student.offset, given.offset, weight, {}),
              factor(&LossWeights::offset));
    if (options.box == BoxLoss::kL1) continue;
    terms.add(teachers[t].name + "/iou",
              weighted_overlap(options.box, {wh, student.offset}, {given.wh, given.offset}, weight),
              factor(&LossWeights::iou));
  }
}

}  // namespace conclave
