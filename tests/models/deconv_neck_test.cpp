#include "models/deconv_neck.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <map>

#include "model_files.h"

namespace conclave {
namespace {

double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// The original's names for the parts of a stage.
const std::map<std::string, std::string> kNames = {
    {"dcn.conv.weight", "conv.weight"}, {"dcn.conv.bias", "conv.bias"},    {"dcn_bn.weight", "bn.weight"},
    {"dcn_bn.bias", "bn.bias"},         {"up_sample.weight", "up.weight"}, {"up_bn.weight", "up_bn.weight"},
    {"up_bn.bias", "up_bn.bias"},
};

TEST(DeconvStage, MatchesTheOriginalForwardBackwardAndInItsStatistics) {
  const TensorMap oracle = golden_tensors("neck_stage_nodcn.safetensors");
  const auto stage = std::make_shared<DeconvStage>(6, 4, 0);
  const auto parameters = stage->named_parameters();
  {
    const torch::NoGradGuard no_grad;
    for (const auto& [theirs, ours] : kNames) parameters[ours].copy_(oracle.at("param_" + theirs));
  }
  const at::Tensor x = oracle.at("x").clone().requires_grad_();
  const at::Tensor y = stage->forward(x, {});
  (y * oracle.at("cotangent")).sum().backward();

  EXPECT_LT(difference(y, oracle.at("y")), 1e-5);
  EXPECT_LT(difference(x.grad(), oracle.at("grad_x")), 1e-5);
  for (const auto& [theirs, ours] : kNames) {
    EXPECT_LT(difference(parameters[ours].grad(), oracle.at("grad_" + theirs)), 1e-4) << ours;
  }
  const auto buffers = stage->named_buffers();
  for (const char* statistic : {"running_mean", "running_var", "num_batches_tracked"}) {
    const std::string name = statistic;
    EXPECT_LT(difference(buffers["bn." + name], oracle.at("buffer_after_dcn_bn." + name)), 1e-6) << name;
    EXPECT_LT(difference(buffers["up_bn." + name], oracle.at("buffer_after_up_bn." + name)), 1e-6) << name;
  }
}

TEST(DeconvStage, AddsTheLateralBeforeTheLastRelu) {
  const torch::NoGradGuard no_grad;
  const auto stage = std::make_shared<DeconvStage>(2, 3, 5);
  stage->eval();
  const at::Tensor x = at::randn({1, 2, 4, 4}), side = at::randn({1, 5, 8, 8});
  auto parameters = stage->named_parameters();
  parameters["up_bn.weight"].zero_();
  parameters["up_bn.bias"].fill_(-0.25);
  const at::Tensor lateral = at::conv2d(side, parameters["lateral.weight"]) / std::sqrt(1 + 1e-5);
  EXPECT_LT(difference(stage->forward(x, side), (lateral - 0.25).relu()), 1e-5);
}

TEST(DeconvNeck, TakesTheMapsOfStridesSixteenEightFour) {
  const torch::NoGradGuard no_grad;
  const std::vector<Features> inputs = {{3, 4}, {5, 8}, {7, 16}, {9, 32}};
  const auto neck = make_deconv_neck(inputs, {8, 6, 4}, true);
  EXPECT_EQ(neck->output().channels, 4);
  EXPECT_EQ(neck->output().stride, 4);
  std::vector<at::Tensor> maps;
  for (const Features& input : inputs)
    maps.push_back(at::randn({1, input.channels, 64 / input.stride, 96 / input.stride}));
  EXPECT_EQ(neck->forward(maps).sizes(), at::IntArrayRef({1, 4, 16, 24}));
}

TEST(Bilinear, UpsamplesEveryChannelByItself) {
  at::Tensor kernel = at::randn({3, 3, 4, 4});
  bilinear_(kernel);
  const at::Tensor x = at::arange(3 * 5 * 6, at::kFloat).view({1, 3, 5, 6});
  const at::Tensor up = at::conv_transpose2d(x, kernel, {}, 2, 1);
  const at::Tensor expected = at::upsample_bilinear2d(x, {10, 12}, false);
  // At the border the deconvolution sees zeros beyond it.
  const auto inside = [](const at::Tensor& t) { return t.slice(2, 1, 9).slice(3, 1, 11); };
  EXPECT_LT(difference(inside(up), inside(expected)), 1e-4);
}

}  // namespace
}  // namespace conclave
