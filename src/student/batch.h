#pragma once

#include <vector>

#include "fusion/fuse.h"
#include "student/pseudo_boxes.h"
#include "teachers/window.h"

namespace conclave {

// (B,H,W,3) uint8 from views of one size, CPU.
at::Tensor stack_pixels(const std::vector<const View*>& views);

// Views of one training step, joined to tensors.
struct Batch {
  at::Tensor images;     // (B,H,W,3) uint8
  BatchTargets targets;  // labels of the classes that coverage gives to labels on each view's set; crowds never
};

// `teachers`: those that answer in each view's targets; with pseudo labels made per view `rule` turns what they say
// into labels. CPU.
Batch make_batch(const std::vector<JoinedView>& views, const Coverage& coverage,
                 const std::vector<TeacherChannels>& teachers, const FusionOptions& options,
                 const PseudoRule& rule = {});

Batch to_device(Batch batch, at::Device device);

}  // namespace conclave
