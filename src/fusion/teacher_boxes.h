#pragma once

#include <vector>

#include "fusion/fuse.h"
#include "fusion/merge.h"

namespace conclave {

// The boxes of all teachers in one list, teacher by teacher in the run's order.
struct TaughtBoxes {
  at::Tensor index;   // (N,) int64: b * H * W + y * W + x
  at::Tensor wh;      // (N,2) cells
  at::Tensor offset;  // (N,2)
  at::Tensor weight;  // (N,) how sure the teacher is of it, times its share in the class; 0 where it is not heard
  at::Tensor cls;     // (N,) int64: the student's class whose box it is, the one that the teacher sees most there
  at::Tensor owner;   // (N,) int64: the teacher
};

// dense[t], voices[t]: what teacher t said, on the same device and as the same type; a voice without classes has no box
// in the list. shares[t]: per class of the voice its share of the boxes, (B,1,1,1) or (B,1,H,W).
// REQUIRES: a teacher with a class.
TaughtBoxes list_boxes(const std::vector<DenseTargets>& dense, const std::vector<TeacherVoice>& voices,
                       const std::vector<std::vector<at::Tensor>>& shares, const FusionOptions& options);

}  // namespace conclave
