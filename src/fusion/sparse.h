#pragma once

#include <vector>

#include "fusion/soft_targets.h"
#include "models/detector.h"

namespace conclave {

// One view's heads (index `b` of the batch) as sparse targets. A record has one box per cell: a teacher with a width
// and height per class sends those of its strongest class there. Throws Error when a head is not finite.
SoftTargets sparsify(const HeadOutputs& heads, int b, const SparseOptions& options);

// A teacher's targets for a batch of views, as tensors again.
struct DenseTargets {
  at::Tensor heat;    // (B,Ct,H,W) float logits; -inf where nothing was kept, so that sigmoid and relu give exactly 0
  at::Tensor wh;      // (B,2,H,W) cells; 0 where no box was kept
  at::Tensor offset;  // (B,2,H,W)
  at::Tensor box;     // (B,1,H,W) 1 where wh and offset were kept, else 0
};

// REQUIRES: at least one view, all of one grid and channel count.
DenseTargets densify(const std::vector<const SoftTargets*>& views);

// The dense path, without loss: what densify would give if nothing were dropped or rounded. For tests and measurements.
DenseTargets dense_targets(const HeadOutputs& heads);

}  // namespace conclave
