#pragma once

#include <memory>

#include "ranks/process_group.h"

namespace conclave {

// Backward passes whose gradients are summed over all ranks, bucket by bucket while backward goes on, as PyTorch's
// DistributedDataParallel does (c10d::Reducer). The losses of the ranks add up to the loss of the joined batch, so the
// sum is its gradient. A parameter that no rank used keeps an undefined gradient. In a world of one: plain backward.
class GradientReducer {
 public:
  // `parameters`: the same on every rank, in the same order. The group must outlive the reducer.
  GradientReducer(ProcessGroup& group, const RanksOptions& options, const std::vector<at::Tensor>& parameters);
  ~GradientReducer();

  void before_forward();
  // loss.backward(); afterwards every rank has the same gradients, bit for bit. Throws what ProcessGroup throws.
  void backward(const at::Tensor& loss);

 private:
  struct State;
  std::unique_ptr<State> state_;  // null in a world of one
};

}  // namespace conclave
