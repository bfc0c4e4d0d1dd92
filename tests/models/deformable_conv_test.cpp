#include "models/deformable_conv.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <map>

#include "model_files.h"
#include "models/deconv_neck.h"
#include "models/detector.h"

namespace conclave {
namespace {

// The definition, one output at a time, in double.
double by_definition(const at::Tensor& x, const at::Tensor& offset, const at::Tensor& mask, const at::Tensor& weight,
                     int out, int row, int column) {
  const auto height = static_cast<int>(x.size(2)), width = static_cast<int>(x.size(3));
  const auto value = [&](int c, int y, int u) {
    return y < 0 || u < 0 || y >= height || u >= width ? 0.0 : x[0][c][y][u].item<double>();
  };
  double sum = 0;
  for (int k = 0; k < 9; ++k) {
    const double y = row + k / 3 - 1 + offset[0][2 * k][row][column].item<double>();
    const double u = column + k % 3 - 1 + offset[0][2 * k + 1][row][column].item<double>();
    const int top = static_cast<int>(std::floor(y)), left = static_cast<int>(std::floor(u));
    const double v = y - top, h = u - left;
    for (int c = 0; c < x.size(1); ++c) {
      const double taken = (1 - v) * ((1 - h) * value(c, top, left) + h * value(c, top, left + 1)) +
                           v * ((1 - h) * value(c, top + 1, left) + h * value(c, top + 1, left + 1));
      sum += taken * mask[0][k][row][column].item<double>() * weight[out][c][k / 3][k % 3].item<double>();
    }
  }
  return sum;
}

TEST(DeformableConvolution, IsWhatItsDefinitionSays) {
  torch::manual_seed(1);
  const at::Tensor x = at::randn({1, 3, 5, 7}), offset = at::randn({1, 18, 5, 7}) * 2, mask = at::rand({1, 9, 5, 7}),
                   weight = at::randn({2, 3, 3, 3});
  const at::Tensor y = deformable_convolution(x, offset, mask, weight, at::zeros({2}));
  for (int out = 0; out < 2; ++out) {
    for (int row = 0; row < 5; ++row) {
      for (int column = 0; column < 7; ++column) {
        EXPECT_NEAR(y[0][out][row][column].item<double>(), by_definition(x, offset, mask, weight, out, row, column),
                    2e-5);
      }
    }
  }
}

TEST(DeformableConvolution, WithoutOffsetsIsAConvolution) {
  const at::Tensor x = at::randn({2, 4, 6, 5}), weight = at::randn({3, 4, 3, 3}), bias = at::randn({3});
  const at::Tensor y = deformable_convolution(x, at::zeros({2, 18, 6, 5}), at::ones({2, 9, 6, 5}), weight, bias);
  EXPECT_TRUE(at::allclose(y, at::conv2d(x, weight, bias, 1, 1), 1e-4, 1e-4));
}

TEST(DeformableConvolution, MatchesTheOriginalStageForwardAndBackward) {
  const std::map<std::string, std::string> names = {{"dcn.offset_mask_conv.weight", "conv.offset_mask.weight"},
                                                    {"dcn.offset_mask_conv.bias", "conv.offset_mask.bias"},
                                                    {"dcn.dcnv2.weight", "conv.weight"},
                                                    {"dcn.dcnv2.bias", "conv.bias"},
                                                    {"dcn_bn.weight", "bn.weight"},
                                                    {"dcn_bn.bias", "bn.bias"},
                                                    {"up_sample.weight", "up.weight"},
                                                    {"up_bn.weight", "up_bn.weight"},
                                                    {"up_bn.bias", "up_bn.bias"}};
  const TensorMap oracle = golden_tensors("neck_stage_dcn.safetensors");
  const auto stage = std::make_shared<DeconvStage>(6, 4, 0, StageConv::kDeformable);
  const auto parameters = stage->named_parameters();
  {
    const torch::NoGradGuard no_grad;
    for (const auto& [theirs, ours] : names) parameters[ours].copy_(oracle.at("param_" + theirs));
  }
  const at::Tensor x = oracle.at("x").clone().requires_grad_();
  const at::Tensor y = stage->forward(x, {});
  (y * oracle.at("cotangent")).sum().backward();
  const auto difference = [](const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); };
  EXPECT_LT(difference(y, oracle.at("y")), 1e-5);
  EXPECT_LT(difference(x.grad(), oracle.at("grad_x")), 1e-4);
  for (const auto& [theirs, ours] : names)
    EXPECT_LT(difference(parameters[ours].grad(), oracle.at("grad_" + theirs)), 1e-4) << ours;
}

TEST(DeformableNeck, ADetectorWithItComputesAndLearns) {
  for (const char* neck : {"deconv_dcn", "deconv_bare"}) {
    ModelSpec spec = small_spec();
    spec.architecture.neck = neck;
    const auto model = make_detector(spec, 3);
    model->train();
    const HeadOutputs heads = model->forward(at::randn({2, 3, 64, 96}));
    EXPECT_EQ(heads.heat.sizes(), (std::vector<std::int64_t>{2, 2, 16, 24}));
    (heads.heat.sum() + heads.wh.sum() + heads.offset.sum()).backward();
    for (const auto& parameter : model->named_parameters())
      EXPECT_TRUE(parameter.value().grad().defined()) << parameter.key();
  }
}

}  // namespace
}  // namespace conclave
