#include "student/optimizer.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/error.h"
#include "student/weight_average.h"

namespace conclave {
namespace {

struct Net : torch::nn::Module {
  Net() {
    torch::manual_seed(3);
    conv = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 5, 3)));
    norm = register_module("norm", torch::nn::BatchNorm2d(3));
  }
  at::Tensor forward(const at::Tensor& x) { return (conv->forward(norm->forward(x)) - 1).pow(2).mean(); }
  torch::nn::Conv2d conv{nullptr};
  torch::nn::BatchNorm2d norm{nullptr};
};

// The largest difference between our optimizer and torch.optim after some steps with a changing rate.
template <class Reference, class ReferenceOptions>
double difference(const OptimizerOptions& options, ReferenceOptions with_decay, ReferenceOptions without_decay) {
  Net ours, theirs;
  ours.conv->weight.set_data(ours.conv->weight.contiguous(at::MemoryFormat::ChannelsLast));
  const auto optimizer = make_optimizer(options, parameters_of(ours));
  std::vector<torch::optim::OptimizerParamGroup> groups;
  groups.emplace_back(std::vector<at::Tensor>{theirs.conv->weight}, std::make_unique<ReferenceOptions>(with_decay));
  groups.emplace_back(std::vector<at::Tensor>{theirs.conv->bias, theirs.norm->weight, theirs.norm->bias},
                      std::make_unique<ReferenceOptions>(without_decay));
  Reference reference(groups, with_decay);
  for (int step = 0; step < 12; ++step) {
    const at::Tensor x = at::randn({2, 3, 8, 8});
    const double lr = 0.01 / (1 + step);
    optimizer->zero_grad();
    ours.forward(x).backward();
    optimizer->step(lr);
    reference.zero_grad();
    theirs.forward(x).backward();
    for (auto& group : reference.param_groups()) group.options().set_lr(lr);
    reference.step();
  }
  double largest = 0;
  const auto mine = ours.parameters(), other = theirs.parameters();
  for (std::size_t i = 0; i < mine.size(); ++i) {
    largest = std::max(largest, (mine[i] - other[i]).abs().max().template item<double>());
  }
  EXPECT_GT((mine[0] - Net().conv->weight).abs().max().template item<double>(), 1e-3);
  return largest;
}

TEST(Optimizer, AdamWEqualsTorchWithoutDecayOnBiasesAndNorms) {
  const auto torch_options = [](double decay) {
    return torch::optim::AdamWOptions(0.01).betas({0.9, 0.99}).weight_decay(decay).eps(1e-8);
  };
  const OptimizerOptions options{.type = "adamw", .weight_decay = 0.1, .beta1 = 0.9, .beta2 = 0.99};
  EXPECT_LT(difference<torch::optim::AdamW>(options, torch_options(0.1), torch_options(0)), 1e-6);
}

TEST(Optimizer, SgdEqualsTorchWithMomentum) {
  const auto torch_options = [](double decay) {
    return torch::optim::SGDOptions(0.01).momentum(0.8).weight_decay(decay);
  };
  const OptimizerOptions options{.type = "sgd", .weight_decay = 0.05, .momentum = 0.8};
  EXPECT_LT(difference<torch::optim::SGD>(options, torch_options(0.05), torch_options(0)), 1e-6);
}

TEST(Optimizer, GoesOnFromItsStateAsIfNeverStopped) {
  Net whole, first;
  auto a = make_optimizer({}, parameters_of(whole));
  auto b = make_optimizer({}, parameters_of(first));
  std::vector<at::Tensor> inputs;
  for (int i = 0; i < 6; ++i) inputs.push_back(at::randn({2, 3, 8, 8}));
  const auto run = [](Net& net, Optimizer& optimizer, const at::Tensor& x) {
    optimizer.zero_grad();
    net.forward(x).backward();
    optimizer.step(0.01);
  };
  for (int i = 0; i < 6; ++i) run(whole, *a, inputs[i]);
  for (int i = 0; i < 3; ++i) run(first, *b, inputs[i]);
  auto resumed = make_optimizer({}, parameters_of(first));
  resumed->load_state(b->state(), "test");
  for (int i = 3; i < 6; ++i) run(first, *resumed, inputs[i]);
  EXPECT_TRUE(at::equal(whole.conv->weight, first.conv->weight));
}

TEST(Optimizer, RefusesTheStateOfAnother) {
  Net net;
  auto adamw = make_optimizer({}, parameters_of(net));
  auto sgd = make_optimizer({.type = "sgd"}, parameters_of(net));
  EXPECT_THROW(adamw->load_state(sgd->state(), "test"), Error);
  EXPECT_THROW(make_optimizer({.type = "adam"}, parameters_of(net)), Error);
}

TEST(ClipGradients, ScalesAllGradientsToTheLimitAndTellsTheNormBefore) {
  Net net;
  const auto parameters = parameters_of(net);
  EXPECT_EQ(clip_gradients(parameters, 1).item<float>(), 0);
  for (const NamedParameter& p : parameters) p.value.mutable_grad() = at::ones_like(p.value);
  const double norm = std::sqrt(3 * 5 * 9 + 5 + 3 + 3);
  EXPECT_NEAR(clip_gradients(parameters, 1e6).item<double>(), norm, 1e-4);
  EXPECT_NEAR(clip_gradients(parameters, 2.0).item<double>(), norm, 1e-4);
  EXPECT_NEAR(clip_gradients(parameters, 0).item<double>(), 2.0, 1e-4);
}

TEST(WeightAverage, AveragesParametersAndCopiesCounters) {
  Net net;
  const at::Tensor start = net.conv->bias.detach().clone();
  WeightAverage ema(net);
  {
    const at::NoGradGuard no_grad;
    net.conv->bias.add_(1.0);
    net.norm->num_batches_tracked.fill_(9);
  }
  ema.blend(ema_share(0.5, 1000));
  const TensorMap state = ema.state();
  EXPECT_TRUE(at::allclose(state.at("conv.bias"), start + 0.5));
  EXPECT_EQ(state.at("norm.num_batches_tracked").item<int64_t>(), 9);
  ema.blend(ema_share(0.5, 0));  // the decay is only 0.1 at the start
  EXPECT_TRUE(at::allclose(ema.state().at("conv.bias"), start + 0.95));
}

TEST(WeightAverage, IsTheMeanOfWhatIsBlendedInWithFallingShares) {
  Net net;
  WeightAverage mean(net);
  const std::vector<double> values = {3, -1, 7, 2};
  for (std::size_t n = 0; n < values.size(); ++n) {
    const at::NoGradGuard no_grad;
    net.conv->weight.fill_(values[n]);
    mean.blend(1 / static_cast<double>(n + 1));
    if (n == 0) {
      EXPECT_TRUE(at::equal(mean.state().at("conv.weight"), net.conv->weight));
    }
  }
  EXPECT_TRUE(at::allclose(mean.state().at("conv.weight"), at::full_like(net.conv->weight, 11.0 / 4)));
}

TEST(WeightAverage, CountsTheLastStepAndEveryFewBefore) {
  std::vector<int> counted;
  for (int done = 1; done <= 20; ++done) {
    if (counts_in_mean(3, 0.5, done, 20)) counted.push_back(done);
    EXPECT_FALSE(counts_in_mean(0, 0.5, done, 20));
  }
  EXPECT_EQ(counted, (std::vector<int>{11, 14, 17, 20}));
  EXPECT_FALSE(counts_in_mean(10, 0.5, 10, 20)) << "the share itself is not after it";
}

TEST(WeightAverage, GoesOnFromItsState) {
  Net net;
  WeightAverage ema(net);
  {
    const at::NoGradGuard no_grad;
    net.conv->weight.mul_(2);
  }
  ema.blend(0.5);
  WeightAverage other(net);
  other.load_state(ema.state(), "test");
  EXPECT_TRUE(at::equal(other.state().at("conv.weight"), ema.state().at("conv.weight")));
  EXPECT_THROW(other.load_state({}, "test"), Error);
}

}  // namespace
}  // namespace conclave
