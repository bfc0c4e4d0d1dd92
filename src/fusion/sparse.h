#pragma once

#include <vector>

#include "fusion/soft_targets.h"
#include "models/detector.h"

namespace conclave {

// One view's heads (index `b` of the batch) as sparse targets. A record has one box per cell: a teacher with a width
// and height per class sends those of its strongest class there. Throws Error when a head is not finite.
SoftTargets sparsify(const HeadOutputs& heads, int b, const SparseOptions& options);

// A teacher's targets for a batch of views, as tensors again: heat in every cell, boxes listed, since few cells have
// one.
struct DenseTargets {
  at::Tensor heat;    // (B,Ct,H,W) float logits; -inf where nothing was kept, so that sigmoid and relu give exactly 0
  at::Tensor index;   // (N,) int64: b * H * W + y * W + x of each cell whose box was kept, rising; below B * H * W
  at::Tensor wh;      // (N,2) cells
  at::Tensor offset;  // (N,2)
};

// REQUIRES: at least one view, all of one grid and channel count.
DenseTargets densify(const std::vector<const SoftTargets*>& views);

// The dense path, without loss: what densify would give if nothing were dropped or rounded. For tests and measurements.
DenseTargets dense_targets(const HeadOutputs& heads);

// The other way round: wh and offset in their cells (B,2,H,W), 0 where no box was kept.
HeadOutputs as_heads(const DenseTargets& targets);

}  // namespace conclave
