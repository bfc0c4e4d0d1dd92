#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <vector>

#include "fusion/fuse.h"

namespace conclave {

// One teacher's word on the student's classes, in class order.
struct TeacherVoice {
  std::vector<int> classes;  // the student's, rising; K of them
  at::Tensor heat;           // (B,K,H,W) logits; the largest of the teacher's channels that map to the class
  at::Tensor mask;           // (B,K) 1 where it supervises the class
};

// REQUIRES: targets.heat (B,Ct,H,W) with one entry of channels.student_class per channel, mask (B,C).
TeacherVoice voice_of(const DenseTargets& targets, const TeacherChannels& channels, const at::Tensor& mask);

// One class's heat from all teachers that serve it.
struct MergedClass {
  at::Tensor heat;  // (B,1,H,W) logits
  at::Tensor mask;  // (B,1) 1 where any of them supervises it
  // Per teacher: how much of the class's box is its own, (B,1,H,W) or (B,1,1,1); over the teachers they sum to 1 where
  // the class is supervised, to 0 elsewhere.
  std::vector<at::Tensor> shares;
};

// heats (B,1,H,W) and masks (B,1), one per teacher in the run's order. Merged as probabilities; teachers that do not
// supervise a view have no say there, and a teacher alone passes bit by bit.
//   max: the largest p (its share is 1, ties go to the first);  mean;  weighted: mean with `weights` (> 0 in sum).
MergedClass merge_class(const std::vector<at::Tensor>& heats, const std::vector<at::Tensor>& masks,
                        const std::vector<double>& weights, Merge merge);

using TeacherGroup = std::vector<std::size_t>;  // teachers in the run's order, by number

// What all teachers together say.
struct Merged {
  std::vector<int> classes;                                 // that any of them serves, rising; K of them
  at::Tensor heat, mask;                                    // (B,K,H,W) logits and (B,K); undefined without a class
  std::map<TeacherGroup, std::vector<std::size_t>> groups;  // which of the K classes exactly these teachers serve
  std::vector<std::vector<at::Tensor>> shares;              // per teacher and class of its voice, as in MergedClass
};

// merge_class for every one of the student's `classes`, in class order.
Merged merge_voices(const std::vector<TeacherVoice>& voices, const std::vector<TeacherChannels>& teachers,
                    std::int64_t classes, Merge merge);

}  // namespace conclave
