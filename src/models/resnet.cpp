#include "models/resnet.h"

#include <ATen/ATen.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>

#include <array>

#include "models/norm.h"

namespace conclave {
namespace {

namespace nn = torch::nn;

nn::Conv2d convolution(int in, int out, int kernel, int stride) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false));
}

// A block's convolutions; the base class adds the shortcut.
class Block : public nn::Module {
 public:
  at::Tensor forward(const at::Tensor& x) {
    at::Tensor y = residual(x);
    y += downsample_.is_empty() ? x : downsample_->forward(x);
    return y.relu_();
  }

 protected:
  virtual at::Tensor residual(const at::Tensor& x) = 0;

  // The shortcut is a projection where the shape changes.
  void add_shortcut(int in, int out, int stride) {
    if (stride == 1 && in == out) return;
    downsample_ = register_module("downsample", nn::Sequential(convolution(in, out, 1, stride), Norm2d(out)));
  }

 private:
  nn::Sequential downsample_ = nullptr;
};

class BasicBlock : public Block {
 public:
  static constexpr int kExpansion = 1;

  BasicBlock(int in, int channels, int stride) {
    conv1_ = register_module("conv1", convolution(in, channels, 3, stride));
    bn1_ = register_module("bn1", Norm2d(channels));
    conv2_ = register_module("conv2", convolution(channels, channels, 3, 1));
    bn2_ = register_module("bn2", Norm2d(channels));
    add_shortcut(in, channels, stride);
  }

 protected:
  at::Tensor residual(const at::Tensor& x) override {
    const at::Tensor y = bn1_(conv1_(x)).relu_();
    return bn2_(conv2_(y));
  }

 private:
  nn::Conv2d conv1_ = nullptr, conv2_ = nullptr;
  Norm2d bn1_ = nullptr, bn2_ = nullptr;
};

class Bottleneck : public Block {
 public:
  static constexpr int kExpansion = 4;

  Bottleneck(int in, int channels, int stride) {
    const int out = channels * kExpansion;
    conv1_ = register_module("conv1", convolution(in, channels, 1, 1));
    bn1_ = register_module("bn1", Norm2d(channels));
    conv2_ = register_module("conv2", convolution(channels, channels, 3, stride));
    bn2_ = register_module("bn2", Norm2d(channels));
    conv3_ = register_module("conv3", convolution(channels, out, 1, 1));
    bn3_ = register_module("bn3", Norm2d(out));
    add_shortcut(in, out, stride);
  }

 protected:
  at::Tensor residual(const at::Tensor& x) override {
    at::Tensor y = bn1_(conv1_(x)).relu_();
    y = bn2_(conv2_(y)).relu_();
    return bn3_(conv3_(y));
  }

 private:
  nn::Conv2d conv1_ = nullptr, conv2_ = nullptr, conv3_ = nullptr;
  Norm2d bn1_ = nullptr, bn2_ = nullptr, bn3_ = nullptr;
};

template <class BlockType>
class ResNet : public Backbone {
 public:
  ResNet(int width, const std::array<int, 4>& blocks) {
    conv1_ = register_module("conv1", convolution(3, width, 7, 2));
    bn1_ = register_module("bn1", Norm2d(width));
    int in = width;
    for (int stage = 0; stage < 4; ++stage) {
      const int channels = width << stage;
      nn::Sequential layer;
      for (int i = 0; i < blocks[stage]; ++i) {
        layer->push_back(std::make_shared<BlockType>(in, channels, i == 0 && stage > 0 ? 2 : 1));
        in = channels * BlockType::kExpansion;
      }
      layers_[stage] = register_module("layer" + std::to_string(stage + 1), layer);
      outputs_.push_back({in, 4 << stage});
    }
  }

  std::vector<at::Tensor> forward(const at::Tensor& images) override {
    at::Tensor x = bn1_(conv1_(images)).relu_();
    x = at::max_pool2d(x, 3, 2, 1);
    std::vector<at::Tensor> features;
    for (nn::Sequential& layer : layers_) {
      x = layer->forward(x);
      features.push_back(x);
    }
    return features;
  }

  std::vector<Features> outputs() const override { return outputs_; }

 private:
  nn::Conv2d conv1_ = nullptr;
  Norm2d bn1_ = nullptr;
  std::array<nn::Sequential, 4> layers_ = {nullptr, nullptr, nullptr, nullptr};
  std::vector<Features> outputs_;
};

}  // namespace

std::shared_ptr<Backbone> make_resnet18(int width) {
  return std::make_shared<ResNet<BasicBlock>>(width, std::array{2, 2, 2, 2});
}

std::shared_ptr<Backbone> make_resnet34(int width) {
  return std::make_shared<ResNet<BasicBlock>>(width, std::array{3, 4, 6, 3});
}

std::shared_ptr<Backbone> make_resnet50(int width) {
  return std::make_shared<ResNet<Bottleneck>>(width, std::array{3, 4, 6, 3});
}

}  // namespace conclave
