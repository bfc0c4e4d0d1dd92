#include "export/trace.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/conv.h>

#include <set>

#include "core/error.h"
#include "small_network.h"

namespace conclave {
namespace {

TEST(Trace, ListsTheOperatorsOfTheNetworkByTheirLayers) {
  const auto model = small_network();
  model->train();
  const Graph graph = trace_detector(*model, 96, 64);
  EXPECT_TRUE(model->is_training());
  std::set<std::string> layers;
  int convolutions = 0, norms = 0, pools = 0, adds = 0, transposed = 0;
  for (const Node& node : graph.nodes) {
    EXPECT_TRUE(layers.insert(node.layer).second) << node.layer;
    if (const auto* convolution = std::get_if<Convolution>(&node.op)) {
      ++(convolution->transposed ? transposed : convolutions);
    }
    norms += std::holds_alternative<BatchNorm>(node.op);
    pools += std::holds_alternative<MaxPool>(node.op);
    adds += std::holds_alternative<Add>(node.op);
  }
  // The stem, eight blocks of two and three shortcuts; three neck stages with laterals; three heads of two.
  EXPECT_EQ(convolutions, 1 + 16 + 3 + 3 * 2 + 3 * 2);
  EXPECT_EQ(transposed, 3);
  EXPECT_EQ(norms, 1 + 16 + 3 + 3 * 3);
  EXPECT_EQ(pools, 1);
  EXPECT_EQ(adds, 8 + 3);
  EXPECT_TRUE(layers.contains("backbone.layer2.0.downsample.0"));
  EXPECT_TRUE(layers.contains("heat.2"));
  EXPECT_EQ(graph.values[graph.input].shape, (std::vector<std::int64_t>{1, 3, 64, 96}));
  ASSERT_EQ(graph.outputs.size(), 3u);
  EXPECT_EQ(graph.values[graph.outputs[0]].name, "heat");
  EXPECT_EQ(graph.values[graph.outputs[0]].shape, (std::vector<std::int64_t>{1, 2, 16, 24}));
  EXPECT_EQ(graph.values[graph.outputs[2]].name, "offset");
}

TEST(Trace, NamesTheLayerThatCanNotBeExported) {
  struct Odd : torch::nn::Module {
    torch::nn::Conv2d stem = register_module("stem", torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 2, 3).padding(1)));
  } module;
  const auto forward = [&](const at::Tensor& images) { return std::vector{module.stem(images).tanh()}; };
  try {
    trace(module, forward, {"heat"}, 32, 32);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), "stem");
    EXPECT_NE(std::string(error.what()).find("aten::tanh"), std::string::npos) << error.what();
  }
}

TEST(FoldBatchNorms, LeavesNoneAndKeepsTheOutputs) {
  const auto model = small_network();
  const Graph folded = fold_batch_norms(trace_detector(*model, 96, 64));
  for (const Node& node : folded.nodes) EXPECT_FALSE(std::holds_alternative<BatchNorm>(node.op)) << node.layer;
  for (const Node& node : folded.nodes) EXPECT_FALSE(std::holds_alternative<ScaleShift>(node.op)) << node.layer;
}

TEST(FoldBatchNorms, BecomesAScaleWhereThereIsNoConvolutionToFoldInto) {
  Graph graph;
  graph.input = graph.add_value("images", {1, 2, 4, 4});
  const at::Tensor two = at::tensor({2.0F, 4.0F}), one = at::ones({2});
  const ValueId out = graph.append("bn", BatchNorm{two, one, one, 3 * one, 1.0}, {graph.input}, {1, 2, 4, 4});
  graph.outputs = {out};
  const Graph folded = fold_batch_norms(graph);
  const auto& scale = std::get<ScaleShift>(folded.nodes.at(0).op);
  EXPECT_TRUE(at::allclose(scale.scale, at::tensor({1.0F, 2.0F})));   // weight / sqrt(3 + 1)
  EXPECT_TRUE(at::allclose(scale.shift, at::tensor({0.0F, -1.0F})));  // bias - mean * scale
}

}  // namespace
}  // namespace conclave
