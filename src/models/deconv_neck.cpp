#include "models/deconv_neck.h"

#include <torch/nn/modules/container/modulelist.h>
#include <torch/utils.h>

#include <algorithm>

namespace conclave {
namespace {

namespace nn = torch::nn;

class DeconvNeck : public Neck {
 public:
  DeconvNeck(const std::vector<Features>& inputs, const std::array<int, 3>& channels, bool skip, StageConv conv) {
    Features input = inputs.back();
    nn::ModuleList stages;
    for (std::size_t i = 0; i < channels.size(); ++i) {
      const int lateral = skip ? inputs[inputs.size() - 2 - i].channels : 0;
      stages_.push_back(std::make_shared<DeconvStage>(input.channels, channels[i], lateral, conv));
      stages->push_back(stages_.back());
      input = {channels[i], input.stride / 2};
    }
    register_module("stages", stages);
    output_ = input;
  }

  at::Tensor forward(const std::vector<at::Tensor>& features) override {
    at::Tensor x = features.back();
    for (std::size_t i = 0; i < stages_.size(); ++i) x = stages_[i]->forward(x, features[features.size() - 2 - i]);
    return x;
  }

  Features output() const override { return output_; }

 private:
  std::vector<std::shared_ptr<DeconvStage>> stages_;
  Features output_;
};

}  // namespace

DeconvStage::DeconvStage(int in, int out, int lateral_channels, StageConv conv) {
  if (conv == StageConv::kPlain) conv_ = register_module("conv", nn::Conv2d(nn::Conv2dOptions(in, out, 3).padding(1)));
  if (conv == StageConv::kDeformable) deformable_ = register_module("conv", std::make_shared<DeformableConv>(in, out));
  if (conv != StageConv::kNone) bn_ = register_module("bn", Norm2d(out));
  const auto doubling =
      nn::ConvTranspose2dOptions(conv == StageConv::kNone ? in : out, out, 4).stride(2).padding(1).bias(false);
  up_ = register_module("up", nn::ConvTranspose2d(doubling));
  up_bn_ = register_module("up_bn", Norm2d(out));
  if (lateral_channels > 0) {
    lateral_ = register_module("lateral", nn::Conv2d(nn::Conv2dOptions(lateral_channels, out, 1).bias(false)));
    lateral_bn_ = register_module("lateral_bn", Norm2d(out));
  }
}

at::Tensor DeconvStage::forward(const at::Tensor& x, const at::Tensor& lateral) {
  at::Tensor y = x;
  if (!bn_.is_empty()) y = bn_(deformable_ ? deformable_->forward(x) : conv_(x)).relu_();
  y = up_bn_(up_(y));
  if (!lateral_.is_empty()) y += lateral_bn_(lateral_(lateral));
  return y.relu_();
}

std::shared_ptr<Neck> make_deconv_neck(const std::vector<Features>& inputs, const std::array<int, 3>& channels,
                                       bool skip) {
  return std::make_shared<DeconvNeck>(inputs, channels, skip, StageConv::kPlain);
}

std::shared_ptr<Neck> make_deformable_neck(const std::vector<Features>& inputs, const std::array<int, 3>& channels,
                                           bool skip) {
  return std::make_shared<DeconvNeck>(inputs, channels, skip, StageConv::kDeformable);
}

std::shared_ptr<Neck> make_bare_neck(const std::vector<Features>& inputs, const std::array<int, 3>& channels,
                                     bool skip) {
  return std::make_shared<DeconvNeck>(inputs, channels, skip, StageConv::kNone);
}

void bilinear_(at::Tensor& kernel) {
  const torch::NoGradGuard no_grad;
  const std::int64_t size = kernel.size(2);
  const std::int64_t half = (size + 1) / 2;
  const auto factor = static_cast<double>(half);
  const double centre = static_cast<double>(2 * half - 1 - half % 2) / (2 * factor);
  const at::Tensor position = at::arange(size, at::kDouble) / factor - centre;
  const at::Tensor side = 1 - position.abs();
  const at::Tensor patch = at::outer(side, side);
  kernel.zero_();
  for (std::int64_t c = 0; c < std::min(kernel.size(0), kernel.size(1)); ++c) kernel[c][c].copy_(patch);
}

}  // namespace conclave
