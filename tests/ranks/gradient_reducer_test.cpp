#include "ranks/gradient_reducer.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "support/rank_processes.h"

namespace conclave {
namespace {

// A network with a layer that only some ranks use and one that none does.
struct Net : torch::nn::Module {
  Net() {
    torch::manual_seed(3);
    conv = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 8, 3)));
    some = register_module("some", torch::nn::Conv2d(torch::nn::Conv2dOptions(8, 4, 1)));
    none = register_module("none", torch::nn::Linear(2, 2));
  }
  torch::nn::Conv2d conv{nullptr}, some{nullptr};
  torch::nn::Linear none{nullptr};
};

at::Tensor images(int count) {
  torch::manual_seed(8);
  return torch::randn({count, 3, 12, 12});
}

at::Tensor loss_of(Net& net, const at::Tensor& x, bool uses_some) {
  const at::Tensor y = torch::relu(net.conv(x));
  return y.square().sum() + (uses_some ? net.some(y).sum() : at::zeros({}));
}

void expect_sum_over_ranks(ProcessGroup& group, const RanksOptions& options, double tolerance) {
  Net net, whole;
  GradientReducer reducer(group, options, net.parameters());
  for (int step = 0; step < 3; ++step) {
    net.zero_grad();
    whole.zero_grad();
    const at::Tensor x = images(4);
    reducer.before_forward();
    reducer.backward(loss_of(net, x.narrow(0, 2 * group.rank(), 2), group.rank() == 1));
    (loss_of(whole, x.narrow(0, 0, 2), false) + loss_of(whole, x.narrow(0, 2, 2), true)).backward();
    for (const auto& item : net.named_parameters()) {
      const at::Tensor expected = whole.named_parameters()[item.key()].grad();
      ASSERT_EQ(item.value().grad().defined(), expected.defined()) << item.key();
      if (!expected.defined()) continue;
      const double scale = expected.abs().max().item<double>();
      EXPECT_LT((item.value().grad() - expected).abs().max().item<double>(), tolerance * scale) << item.key();
      const at::Tensor everywhere = group.gather(item.value().grad());
      EXPECT_TRUE(at::equal(everywhere[0], everywhere[1])) << item.key() << ": the same bits on every rank";
    }
  }
}

TEST(GradientReducer, GivesEveryRankTheSumAndLeavesUnusedParametersAlone) {
  in_ranks(2, [](ProcessGroup& group) { expect_sum_over_ranks(group, {}, 1e-6); });
}

TEST(GradientReducer, SumsAsBfloat16WhenAsked) {
  RanksOptions options;
  options.bf16_gradients = true;
  in_ranks(2, [&](ProcessGroup& group) {
    expect_sum_over_ranks(group, options, 2e-2);
    Net net;
    GradientReducer reducer(group, options, net.parameters());
    reducer.before_forward();
    reducer.backward(loss_of(net, images(2), true));
    const at::Tensor gradient = net.conv->weight.grad();
    EXPECT_EQ(gradient.scalar_type(), at::kFloat);
    EXPECT_TRUE(at::equal(gradient, gradient.to(at::kBFloat16).to(at::kFloat))) << "no more digits than were sent";
  });
}

TEST(GradientReducer, IsPlainBackwardInAWorldOfOne) {
  ProcessGroup group;
  Net net, plain;
  GradientReducer reducer(group, {}, net.parameters());
  reducer.before_forward();
  reducer.backward(loss_of(net, images(2), true));
  loss_of(plain, images(2), true).backward();
  EXPECT_TRUE(at::equal(net.conv->weight.grad(), plain.conv->weight.grad()));
  EXPECT_FALSE(net.none->weight.grad().defined());
  reducer.backward(at::zeros({}));  // nothing to learn: nothing happens
}

}  // namespace
}  // namespace conclave
