#pragma once

#include <vector>

#include "fusion/fuse.h"
#include "teachers/window.h"

namespace conclave {

// (B,H,W,3) uint8 from views of one size, CPU.
at::Tensor stack_pixels(const std::vector<const View*>& views);

// Views of one training step, joined to tensors.
struct Batch {
  at::Tensor images;     // (B,H,W,3) uint8
  BatchTargets targets;  // labels of the classes that coverage gives to labels on each view's set; crowds never
};

// `teachers`: how many answer in each view's targets. CPU.
Batch make_batch(const std::vector<JoinedView>& views, const Coverage& coverage, std::size_t teachers,
                 const FusionOptions& options);

Batch to_device(Batch batch, at::Device device);

}  // namespace conclave
