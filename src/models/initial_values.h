#pragma once

#include <torch/nn/module.h>

#include <cstdint>

namespace conclave {

// Fills a fresh detector: convolutions He-normal over their outputs (He et al. 2015; torchvision's choice), the heads'
// last ones normal with the variance of PyTorch's default, 1/(3 inputs), deconvolutions bilinear, norms 1 and 0, biases
// 0, the heat bias at kHeatBias. Every tensor's values follow from the seed and its own name, so adding a part doesn't
// change the others.
void set_initial_values(torch::nn::Module& detector, std::uint64_t seed);

}  // namespace conclave
