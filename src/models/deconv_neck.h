#pragma once

#include <array>
#include <memory>

#include "models/neck.h"

namespace conclave {

// The upsampling half of CenterNet (Zhou et al. 2019, after Xiao et al. 2018), with plain convolutions: three stages of
//   conv 3x3 (bias) -> BN -> ReLU -> deconv 4x4, stride 2 -> BN [+ lateral] -> ReLU,
// "stages.N.{conv,bn,up,up_bn}". With `skip`, the backbone's map of the same resolution is added before the last ReLU, through a
// 1x1 convolution and BN ("stages.N.{lateral,lateral_bn}"), as in feature pyramids (Lin et al. 2017).
std::shared_ptr<Neck> make_deconv_neck(const std::vector<Features>& inputs, const std::array<int, 3>& channels, bool skip);

// Sets a transposed convolution's kernel (in,out,k,k), in = out, to bilinear upsampling of each channel by itself.
void bilinear_(at::Tensor& kernel);

}  // namespace conclave
