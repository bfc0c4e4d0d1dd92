#pragma once

#include <torch/nn/modules/conv.h>

#include <array>
#include <memory>

#include "models/deformable_conv.h"
#include "models/neck.h"
#include "models/norm.h"

namespace conclave {

// One stage of the upsampling half of CenterNet (Zhou et al. 2019, after Xiao et al. 2018), with plain convolutions:
//   conv 3x3 (bias) -> BN -> ReLU -> deconv 4x4, stride 2 -> BN [+ lateral] -> ReLU,
// named conv, bn, up, up_bn. The lateral is a 1x1 convolution and BN (lateral, lateral_bn) of a map of the output's
// resolution, as in feature pyramids (Lin et al. 2017).
// What comes before the deconvolution.
enum class StageConv {
  kPlain,       // conv 3x3 -> BN -> ReLU
  kDeformable,  // the same with a deformable convolution (deformable_conv.h), as CenterNet's "dcn" networks
  kNone         // nothing: the deconvolution takes the input's channels (Xiao et al. 2018, Simple Baselines)
};

class DeconvStage : public torch::nn::Module {
 public:
  // lateral_channels 0: no lateral connection.
  DeconvStage(int in, int out, int lateral_channels, StageConv conv = StageConv::kPlain);

  // x (B,in,h,w), lateral (B,lateral_channels,2h,2w), not looked at without the connection -> (B,out,2h,2w).
  at::Tensor forward(const at::Tensor& x, const at::Tensor& lateral);

 private:
  torch::nn::Conv2d conv_ = nullptr, lateral_ = nullptr;
  std::shared_ptr<DeformableConv> deformable_;
  torch::nn::ConvTranspose2d up_ = nullptr;
  Norm2d bn_ = nullptr, up_bn_ = nullptr, lateral_bn_ = nullptr;
};

// Three stages, "stages.0" to "stages.2". With `skip`, each takes the backbone's map of its output's stride as lateral.
std::shared_ptr<Neck> make_deconv_neck(const std::vector<Features>& inputs, const std::array<int, 3>& channels,
                                       bool skip);
std::shared_ptr<Neck> make_deformable_neck(const std::vector<Features>& inputs, const std::array<int, 3>& channels,
                                           bool skip);
std::shared_ptr<Neck> make_bare_neck(const std::vector<Features>& inputs, const std::array<int, 3>& channels,
                                     bool skip);

// Sets a transposed convolution's kernel (in,out,k,k), in = out, to bilinear upsampling of each channel by itself.
void bilinear_(at::Tensor& kernel);

}  // namespace conclave
