#pragma once

#include <torch/nn/module.h>

#include "ranks/process_group.h"

namespace conclave {

// Makes every Norm2d in the model that is trained with batch statistics take them over the joined batch of all ranks:
// mean and variance are merged from each rank's count, mean and sum of squares about it (Chan, Golub & LeVeque 1979) in
// fp32, and the backward pass sums the two reductions it needs in the same way. Outputs, gradients and running
// statistics are those of batch normalisation over the joined batch; ranks may hold different numbers of views. The
// group must outlive the model's training. In a world of one the model stays as it is.
void synchronise_norms(torch::nn::Module& model, ProcessGroup& group);

}  // namespace conclave
