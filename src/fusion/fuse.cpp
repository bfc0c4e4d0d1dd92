#include "fusion/fuse.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>

#include "core/error.h"
#include "fusion/losses.h"
#include "fusion/merge.h"
#include "models/decode.h"

namespace conclave {
namespace {

void require(bool ok, const std::string& what) {
  if (!ok) throw Error(what, "fusion");
}

at::Tensor as_computed(const at::Tensor& head) {
  return head.scalar_type() == at::kDouble ? head : head.to(at::kFloat);
}

// Collects the terms, then divides them all at once.
class Terms {
 public:
  void add(const std::string& name, Quotient quotient, double scale) {
    entries_.push_back({name, std::move(quotient), scale});
  }

  Losses take(const JoinCounts& join) {
    if (join) {
      std::vector<at::Tensor> counts;
      for (const Entry& entry : entries_) counts.push_back(entry.quotient.count);
      join(counts);
    }
    Losses losses;
    for (const auto& [name, quotient, scale] : entries_) {
      const at::Tensor value = quotient.value();
      const at::Tensor weighted = (value.dim() > 0 ? value.sum() : value) * scale;
      losses.total = losses.terms.empty() ? weighted : losses.total + weighted;
      losses.terms.push_back({name, weighted});
    }
    return losses;
  }

 private:
  struct Entry {
    std::string name;
    Quotient quotient;
    double scale;
  };
  std::vector<Entry> entries_;
};

void add_label_terms(Terms& terms, const HeadOutputs& student, const GroundTruth& truth, const at::Tensor& mask,
                     const FusionOptions& options) {
  require(truth.heat.sizes() == student.heat.sizes(), "the labels' heat map differs in shape from the student's");
  const LossWeights scale = label_scale(options.norm_wh);
  const std::int64_t classes = student.heat.size(1), cells = student.heat.size(2) * student.heat.size(3);
  const at::Tensor target_wh = truth.wh.to(student.wh.options()), target_offset = truth.offset.to(student.wh.options());
  const at::Tensor weight = supervised_objects(truth, mask, cells);
  const at::Tensor cls = truth.cls.to(mask.device());
  const at::Tensor side = options.norm_wh ? mean_side(target_wh, 1).squeeze(1) : at::Tensor();

  const auto box_term = [&](const at::Tensor& head, const at::Tensor& target, const at::Tensor& divisor) {
    const at::Tensor predicted = at_centres(head, truth);
    return options.per_class ? l1_per_class(predicted, target, weight, divisor, cls, classes)
                             : l1_joint(predicted, target, weight, divisor);
  };
  terms.add(
      "labels/heat",
      options.per_class ? focal_per_class(student.heat, truth, mask) : focal_joint(student.heat, truth.heat, mask),
      options.label.heat * scale.heat);
  terms.add("labels/wh", box_term(student.wh, target_wh, side), options.label.wh * scale.wh);
  terms.add("labels/offset", box_term(student.offset, target_offset, {}), options.label.offset * scale.offset);
}

Quotient distil_heat(const at::Tensor& student, const at::Tensor& teacher, const at::Tensor& mask,
                     const FusionOptions& options) {
  switch (options.loss) {
    case DistillLoss::kQfl:
      return quality_focal(student, teacher, mask);
    case DistillLoss::kBce:
      return cross_entropy(student, teacher, mask);
    case DistillLoss::kRelu:
      return one_sided_relu(student, teacher, mask, effective_floor(options));
    case DistillLoss::kProbPeaks:
      break;
  }
  return mean_squared_error(at::sigmoid(student), at::sigmoid(teacher), mask);
}

// How sure the teacher is of its box, per cell and class: (B,K,H,W).
at::Tensor confidence(const at::Tensor& logits, DistillLoss loss) {
  return loss == DistillLoss::kProbPeaks ? keep_peaks(at::sigmoid(logits)) : at::relu(logits);
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

void add_teacher_terms(Terms& terms, const HeadOutputs& student, const BatchTargets& targets,
                       const std::vector<TeacherChannels>& teachers, const FusionOptions& options) {
  const std::int64_t classes = student.heat.size(1);
  std::vector<DenseTargets> dense;
  std::vector<TeacherVoice> voices;
  for (std::size_t t = 0; t < teachers.size(); ++t) {
    const DenseTargets& given = targets.teachers[t];
    require(given.heat.size(0) == student.heat.size(0) && given.wh.sizes() == student.wh.sizes(),
            "the targets of teacher '" + teachers[t].name + "' differ in shape from the student's heads");
    require(targets.teacher_mask[t].sizes() == at::IntArrayRef({student.heat.size(0), classes}),
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
      weights.push_back(teachers[t].weight);
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
      std::string name;
      for (const std::size_t member : group->first) name += (name.empty() ? "" : "+") + teachers[member].name;
      terms.add(name + "/heat",
                distil_heat(channels_of(student.heat, group->second.classes), joined(group->second.heats),
                            joined(group->second.masks), options),
                options.distill.heat * scale.heat);
    }
    if (voices[t].classes.empty()) continue;
    const at::Tensor share = shares[t].size() == 1 ? shares[t].front() : at::cat(at::broadcast_tensors(shares[t]), 1);
    const at::Tensor weight =
        (confidence(voices[t].heat, options.loss) * share).amax(1, /*keepdim=*/true) * dense[t].box;
    const at::Tensor side = options.norm_wh ? mean_side(dense[t].wh, 1) : at::Tensor();
    terms.add(teachers[t].name + "/wh", weighted_l1(student.wh, dense[t].wh, weight, side),
              options.distill.wh * scale.wh);
    terms.add(teachers[t].name + "/offset", weighted_l1(student.offset, dense[t].offset, weight, {}),
              options.distill.offset * scale.offset);
  }
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
  const double floor = options.floor >= 0 ? options.floor : relu ? 0.5 : 0.05;
  if (floor >= 1 || (relu && floor <= 0)) {
    throw Error("a floor of " + std::to_string(floor) + " leaves nothing to learn from", "fusion",
                relu ? "relu wants a probability between 0 and 1: 0.5 as published, 0.05 learns better"
                     : "choose a probability from 0 (keep everything) to below 1",
                Exit::kUsage);
  }
  return floor;
}

SparseOptions sparse_options(const FusionOptions& options) {
  if (options.method == Method::kPseudo) {  // boxes are decoded, whatever the loss: every peak that may become one
    return {static_cast<float>(std::min(effective_floor(options), options.pseudo_threshold)), BoxRule::kPeaks};
  }
  return {static_cast<float>(effective_floor(options)),
          options.loss == DistillLoss::kProbPeaks ? BoxRule::kPeaks : BoxRule::kPositive};
}

Losses fuse(const HeadOutputs& student, const BatchTargets& targets, const std::vector<TeacherChannels>& teachers,
            const FusionOptions& options, const JoinCounts& join) {
  require(student.heat.dim() == 4 && student.wh.dim() == 4 && student.offset.sizes() == student.wh.sizes(),
          "the student's heads are not (B,C,H,W), (B,2,H,W), (B,2,H,W)");
  const HeadOutputs heads{as_computed(student.heat), as_computed(student.wh), as_computed(student.offset)};
  Terms terms;
  if (options.method != Method::kKd) {
    require(targets.label_mask.defined() && targets.label_mask.size(0) == heads.heat.size(0) &&
                targets.label_mask.size(1) == heads.heat.size(1),
            "the mask of labels is not (views, classes)");
    add_label_terms(terms, heads, targets.labels, targets.label_mask.to(heads.heat.options()), options);
  }
  if (asks_every_view(options.method)) {
    require(targets.teachers.size() == teachers.size() && targets.teacher_mask.size() == teachers.size(),
            "not one set of targets and one mask per teacher");
    add_teacher_terms(terms, heads, targets, teachers, options);
  }
  Losses losses = terms.take(join);
  require(!losses.terms.empty(), "nothing supervises the student");
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
      if (source.pseudo) continue;  // its teachers have spoken already: their boxes are labels
      for (const int t : source.teachers) teacher_masks.at(static_cast<std::size_t>(t))[b * classes + c] = 1;
    }
  }
  return targets;
}

}  // namespace conclave
