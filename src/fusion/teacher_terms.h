#pragma once

#include "fusion/terms.h"

namespace conclave {

// What the teachers say: per teacher heat, wh and offset, and where they are asked for cwd and iou; the heat of classes
// that several share is one term. cells (B,C,H,W): 1 where teachers are heard; undefined: everywhere. The heads are
// float. Throws Error for targets that don't fit the heads or the teachers.
void add_teacher_terms(Terms& terms, const HeadOutputs& student, const BatchTargets& targets,
                       const std::vector<TeacherChannels>& teachers, const FusionOptions& options,
                       const at::Tensor& cells);

}  // namespace conclave
