#pragma once

#include <ATen/ATen.h>

#include "fusion/sparse.h"

namespace conclave {

// What a teacher said about views [first, first + count) of a batch, as a rank would hold it.
inline DenseTargets part_of(const DenseTargets& whole, std::int64_t first, std::int64_t count) {
  const std::int64_t cells = whole.heat.size(2) * whole.heat.size(3), origin = first * cells;
  const at::Tensor mine = (whole.index >= origin).logical_and(whole.index < origin + count * cells);
  return {whole.heat.narrow(0, first, count), whole.index.masked_select(mine) - origin, whole.wh.index({mine}),
          whole.offset.index({mine})};
}

// (B,1,H,W): 1 in the cells whose box was kept.
inline at::Tensor box_map(const DenseTargets& targets) {
  DenseTargets ones = targets;
  ones.wh = at::ones_like(targets.wh);
  return as_heads(ones).wh.narrow(1, 0, 1);
}

}  // namespace conclave
