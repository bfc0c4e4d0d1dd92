#include "fusion/merge.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string>

#include "core/error.h"

namespace conclave {
namespace {

constexpr double kSilent = -std::numeric_limits<double>::infinity();

at::Tensor over_cells(const at::Tensor& mask) {
  return mask.unsqueeze(-1).unsqueeze(-1);
}

// (T,B,1,H,W) logits, -inf where the teacher has no say.
at::Tensor stacked(const std::vector<at::Tensor>& heats, const std::vector<at::Tensor>& masks) {
  std::vector<at::Tensor> heard;
  for (std::size_t t = 0; t < heats.size(); ++t) {
    heard.push_back(heats[t].masked_fill(over_cells(masks[t]) == 0, kSilent));
  }
  return at::stack(heard);
}

MergedClass merge_max(const std::vector<at::Tensor>& heats, const std::vector<at::Tensor>& masks,
                      const at::Tensor& mask) {
  const at::Tensor all = stacked(heats, masks);
  MergedClass merged{all.amax(0), mask, {}};
  at::Tensor taken = over_cells(mask) == 0;  // cells whose owner is known, and those without one
  for (std::size_t t = 0; t < heats.size(); ++t) {
    const at::Tensor owner =
        (all[static_cast<std::int64_t>(t)] == merged.heat) & (over_cells(masks[t]) > 0) & taken.logical_not();
    taken = taken | owner;
    merged.shares.push_back(owner.to(mask.scalar_type()));
  }
  return merged;
}

MergedClass merge_mean(const std::vector<at::Tensor>& heats, const std::vector<at::Tensor>& masks,
                       const at::Tensor& mask, const std::vector<double>& weights) {
  at::Tensor sum = at::zeros_like(mask), heard = at::zeros_like(mask);
  for (std::size_t t = 0; t < masks.size(); ++t) {
    sum = sum + masks[t] * weights[t];
    heard = heard + masks[t];
  }
  if ((sum.le(0) & mask.gt(0)).any().item<bool>()) {
    throw Error("the weights of the teachers of one class sum to 0", "merge: weighted",
                "give each teacher a weight above 0", Exit::kUsage);
  }
  const at::Tensor divisor = at::where(mask > 0, sum, at::ones_like(sum));
  MergedClass merged{{}, mask, {}};
  at::Tensor p = at::zeros_like(heats[0]);
  for (std::size_t t = 0; t < heats.size(); ++t) {
    const at::Tensor share = over_cells(masks[t] * weights[t] / divisor);
    p = p + share * at::sigmoid(heats[t]);
    merged.shares.push_back(share);
  }
  const double below_one = 1 - (p.scalar_type() == at::kDouble ? std::numeric_limits<double>::epsilon()
                                                               : std::numeric_limits<float>::epsilon());
  merged.heat = at::logit(p.clamp_max(below_one));
  const at::Tensor alone = stacked(heats, masks).amax(0);
  merged.heat = at::where(over_cells(heard) > 1, merged.heat, alone);
  return merged;
}

// A teacher's say in a class where it is one of several.
double weight_on(const TeacherChannels& teacher, int cls) {
  if (teacher.channel_weight.empty()) return teacher.weight;
  double weight = 0;
  for (std::size_t i = 0; i < teacher.student_class.size(); ++i) {
    if (teacher.student_class[i] == cls) weight = std::max(weight, teacher.channel_weight.at(i));
  }
  return weight;
}

// Several tensors with one channel each as one.
at::Tensor joined(const std::vector<at::Tensor>& parts) {
  return parts.size() == 1 ? parts.front() : at::cat(parts, 1);
}

}  // namespace

TeacherVoice voice_of(const DenseTargets& targets, const TeacherChannels& channels, const at::Tensor& mask) {
  if (targets.heat.size(1) != static_cast<std::int64_t>(channels.student_class.size())) {
    throw Error("its targets have " + std::to_string(targets.heat.size(1)) + " channels and its classes are " +
                    std::to_string(channels.student_class.size()),
                "teacher '" + channels.name + "'");
  }
  std::map<int, std::vector<std::int64_t>> channels_of;
  for (std::size_t i = 0; i < channels.student_class.size(); ++i) {
    const int cls = channels.student_class[i];
    if (cls >= mask.size(1))
      throw Error("it maps to a class that the student lacks", "teacher '" + channels.name + "'");
    if (cls >= 0) channels_of[cls].push_back(static_cast<std::int64_t>(i));
  }
  TeacherVoice voice;
  std::vector<at::Tensor> heats, masks;
  for (const auto& [cls, positions] : channels_of) {
    at::Tensor heat = targets.heat.narrow(1, positions.front(), 1);
    for (std::size_t i = 1; i < positions.size(); ++i) {
      heat = at::maximum(heat, targets.heat.narrow(1, positions[i], 1));
    }
    voice.classes.push_back(cls);
    heats.push_back(heat);
    masks.push_back(mask.narrow(1, cls, 1));
  }
  if (voice.classes.empty()) return voice;
  voice.heat = joined(heats);
  voice.mask = joined(masks);
  return voice;
}

MergedClass merge_class(const std::vector<at::Tensor>& heats, const std::vector<at::Tensor>& masks,
                        const std::vector<double>& weights, Merge merge) {
  if (heats.size() == 1) return {heats.front(), masks.front(), {over_cells(masks.front())}};
  const at::Tensor mask = at::stack(masks).amax(0);
  if (merge == Merge::kMax) return merge_max(heats, masks, mask);
  const bool weighted = merge == Merge::kWeighted;
  return merge_mean(heats, masks, mask, weighted ? weights : std::vector<double>(heats.size(), 1.0));
}

Merged merge_voices(const std::vector<TeacherVoice>& voices, const std::vector<TeacherChannels>& teachers,
                    std::int64_t classes, Merge merge) {
  Merged all;
  all.shares.resize(voices.size());
  std::vector<at::Tensor> heats, masks;
  for (int cls = 0; cls < classes; ++cls) {
    TeacherGroup serving;
    std::vector<at::Tensor> own_heats, own_masks;
    std::vector<double> weights;
    for (std::size_t t = 0; t < voices.size(); ++t) {
      const auto& list = voices[t].classes;
      const auto found = std::find(list.begin(), list.end(), cls);
      if (found == list.end()) continue;
      const std::int64_t k = found - list.begin();
      serving.push_back(t);
      own_heats.push_back(voices[t].heat.narrow(1, k, 1));
      own_masks.push_back(voices[t].mask.narrow(1, k, 1));
      weights.push_back(weight_on(teachers[t], cls));
    }
    if (serving.empty()) continue;
    const MergedClass merged = merge_class(own_heats, own_masks, weights, merge);
    for (std::size_t i = 0; i < serving.size(); ++i) all.shares[serving[i]].push_back(merged.shares[i]);
    all.groups[serving].push_back(all.classes.size());
    all.classes.push_back(cls);
    heats.push_back(merged.heat);
    masks.push_back(merged.mask);
  }
  if (all.classes.empty()) return all;
  all.heat = joined(heats);
  all.mask = joined(masks);
  return all;
}

}  // namespace conclave
