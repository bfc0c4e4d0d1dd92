#include "models/detector.h"

#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <fstream>
#include <set>
#include <sstream>

#include "core/error.h"
#include "model_files.h"
#include "models/weights.h"
#include "models/zoo.h"

namespace conclave {
namespace {

double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

at::Tensor noise(at::IntArrayRef shape) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(7), at::TensorOptions(at::kFloat));
}

// Networks, inputs and outputs by pytorch_reference.py in this folder.
class PyTorchReference : public testing::TestWithParam<const char*> {
 protected:
  const std::string name_ = GetParam();
  LoadedDetector loaded_ = load_detector(golden(name_ + ".safetensors"));
  TensorMap expected_ = golden_tensors(name_ + ".expected.safetensors");
  at::Tensor images_ = expected_.at("images").to(at::kFloat);
};

TEST_P(PyTorchReference, GivesTheSameHeads) {
  const torch::NoGradGuard no_grad;
  const HeadOutputs heads = loaded_.model->forward(images_.slice(0, 0, 1));
  EXPECT_LT(difference(heads.heat, expected_.at("eval.heat")), 1e-5);
  EXPECT_LT(difference(heads.wh, expected_.at("eval.wh")), 1e-5);
  EXPECT_LT(difference(heads.offset, expected_.at("eval.offset")), 1e-5);
}

TEST_P(PyTorchReference, GivesTheSameGradientsAndRunningStatistics) {
  Detector& model = *loaded_.model;
  model.train();
  model.to(at::kDouble);
  const HeadOutputs heads = model.forward(images_.to(at::kDouble));
  const at::Tensor loss = heads.heat.square().mean() + heads.wh.square().mean() + heads.offset.square().mean();
  loss.backward();
  EXPECT_NEAR(loss.item<double>(), expected_.at("train.loss").item<double>(), 1e-6 * loss.item<double>());

  const auto parameters = model.named_parameters();
  const auto buffers = model.named_buffers();
  for (const auto& item : parameters) {
    const auto norm = expected_.at("grad_norm." + item.key()).item<double>();
    EXPECT_NEAR(item.value().grad().norm().item<double>(), norm, 1e-6 * norm + 1e-9) << item.key();
  }
  int compared = 0;
  for (const auto& [key, value] : expected_) {
    if (key.starts_with("grad.")) {
      EXPECT_LT(difference(parameters[key.substr(5)].grad(), value), 1e-6 * value.abs().max().item<double>()) << key;
      ++compared;
    } else if (key.starts_with("buffer.")) {
      EXPECT_LT(difference(buffers[key.substr(7)], value), 1e-6) << key;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 5);
}

TEST_P(PyTorchReference, GivesTheSameHeadsInChannelsLast) {
  const torch::NoGradGuard no_grad;
  const HeadOutputs heads = loaded_.model->forward(images_.slice(0, 0, 1).contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_LT(difference(heads.heat, expected_.at("eval.heat")), 1e-5);
  EXPECT_LT(difference(heads.wh, expected_.at("eval.wh")), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Networks, PyTorchReference, testing::Values("resnet18_skip", "resnet50"));

TEST(Detector, NamesItsBackboneAsTorchvisionDoes) {
  ModelSpec spec;
  spec.classes = {"object"};
  const TensorMap state = state_of(*make_detector(spec));
  std::ifstream list(golden("resnet18_names.txt"));
  std::set<std::string> expected, actual;
  for (std::string line; std::getline(list, line);) expected.insert("backbone." + line);
  for (const auto& [name, tensor] : state) {
    if (!name.starts_with("backbone.")) continue;
    std::ostringstream shape;
    for (const std::int64_t size : tensor.sizes()) shape << (shape.tellp() > 0 ? "," : "") << size;
    actual.insert(name + " [" + shape.str() + "]");
  }
  EXPECT_EQ(expected.size(), 120u);
  EXPECT_EQ(actual, expected);
}

TEST(Detector, NamesItsNeckAndHeads) {
  const TensorMap state = state_of(*make_detector(small_spec()));
  EXPECT_EQ(state.at("neck.stages.0.conv.weight").sizes(), at::IntArrayRef({6, 16, 3, 3}));
  EXPECT_EQ(state.at("neck.stages.1.up.weight").sizes(), at::IntArrayRef({5, 5, 4, 4}));
  EXPECT_EQ(state.at("neck.stages.2.lateral.weight").sizes(), at::IntArrayRef({4, 2, 1, 1}));
  EXPECT_EQ(state.at("heat.0.weight").sizes(), at::IntArrayRef({3, 4, 3, 3}));
  EXPECT_EQ(state.at("heat.2.bias").sizes(), at::IntArrayRef({2}));
  EXPECT_TRUE(state.contains("wh.2.weight"));
  EXPECT_TRUE(state.contains("offset.2.weight"));
}

TEST(Detector, AnswersAtStrideFour) {
  const torch::NoGradGuard no_grad;
  const HeadOutputs heads = make_detector(small_spec())->forward(noise({2, 3, 64, 96}));
  EXPECT_EQ(heads.heat.sizes(), at::IntArrayRef({2, 2, 16, 24}));
  EXPECT_EQ(heads.wh.sizes(), at::IntArrayRef({2, 2, 16, 24}));
  EXPECT_EQ(heads.offset.sizes(), at::IntArrayRef({2, 2, 16, 24}));
}

TEST(Detector, StartsFromTheSameBitsForTheSameSeedOnly) {
  torch::manual_seed(1);
  const TensorMap first = state_of(*make_detector(small_spec(), 5));
  torch::manual_seed(2);
  const TensorMap again = state_of(*make_detector(small_spec(), 5));
  const TensorMap other = state_of(*make_detector(small_spec(), 6));
  for (const auto& [name, tensor] : first) EXPECT_TRUE(at::equal(tensor, again.at(name))) << name;
  EXPECT_FALSE(at::equal(first.at("backbone.conv1.weight"), other.at("backbone.conv1.weight")));
  EXPECT_FALSE(at::equal(first.at("wh.0.weight"), first.at("offset.0.weight")));
}

TEST(Detector, KeepsItsValuesWhereOnlyTheClassesChange) {
  ModelSpec more = small_spec();
  more.classes.push_back("bird");
  const TensorMap two = state_of(*make_detector(small_spec(), 5)), three = state_of(*make_detector(more, 5));
  for (const auto& [name, tensor] : two) {
    if (name.starts_with("heat.2")) continue;
    EXPECT_TRUE(at::equal(tensor, three.at(name))) << name;
  }
}

TEST(Detector, StartsWithTheDeviationsOfHeAndTheHeatBias) {
  ModelSpec spec;
  spec.classes = {"a", "b", "c"};
  const TensorMap state = state_of(*make_detector(spec));
  const auto deviation = [&](const char* name) { return state.at(name).std().item<double>(); };
  EXPECT_NEAR(deviation("backbone.layer4.1.conv2.weight"), std::sqrt(2.0 / (512 * 9)), 2e-4);
  EXPECT_NEAR(deviation("neck.stages.0.conv.weight"), std::sqrt(2.0 / (256 * 9)), 2e-4);
  EXPECT_NEAR(deviation("heat.2.weight"), std::sqrt(1.0 / (3 * 64)), 0.02);
  EXPECT_TRUE(at::allclose(state.at("heat.2.bias"), at::full({3}, -2.19f)));
  EXPECT_EQ(state.at("wh.2.bias").abs().max().item<float>(), 0.0f);
  EXPECT_EQ(state.at("neck.stages.1.up_bn.weight").min().item<float>(), 1.0f);
}

TEST(Detector, RunsUnderBfloat16InChannelsLast) {
  const torch::NoGradGuard no_grad;
  const auto model = make_detector(small_spec(), 3);
  model->eval();
  const at::Tensor images = noise({1, 3, 64, 64}).contiguous(at::MemoryFormat::ChannelsLast);
  const HeadOutputs exact = model->forward(images);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  const HeadOutputs rough = model->forward(images);
  at::autocast::set_autocast_enabled(at::kCPU, false);
  at::autocast::clear_cache();
  EXPECT_EQ(rough.heat.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(rough.heat.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_LT(difference(rough.heat, exact.heat), 0.1 * exact.heat.abs().max().item<double>());
}

TEST(Detector, SaysWhichPartsAreKnown) {
  ModelSpec spec = small_spec();
  spec.architecture.backbone = "resnet17";
  try {
    make_detector(spec);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "unknown backbone 'resnet17'\n  hint: known: resnet18, resnet34, resnet50");
  }
  spec = small_spec();
  spec.architecture.neck = "fpn";
  EXPECT_THROW(make_detector(spec), Error);
  spec = small_spec();
  spec.architecture.width = 0;
  EXPECT_THROW(make_detector(spec), Error);
  spec = small_spec();
  spec.classes.clear();
  EXPECT_THROW(make_detector(spec), Error);
}

TEST(Normalise, SubtractsTheMeanAndDividesPerChannel) {
  ModelSpec spec;
  spec.mean = {10, 20, 30};
  spec.std = {1, 2, 4};
  at::Tensor rgb = at::zeros({1, 2, 3}, at::kByte);
  rgb[0][1][0] = 13;
  rgb[0][1][1] = 26;
  rgb[0][1][2] = 255;
  const at::Tensor planes = normalise(rgb, spec);
  EXPECT_EQ(planes.sizes(), at::IntArrayRef({1, 3, 1, 2}));
  EXPECT_TRUE(planes.is_contiguous());
  EXPECT_TRUE(at::equal(planes.flatten(), at::tensor({-10.0f, 3.0f, -10.0f, 3.0f, -7.5f, 56.25f})));
  EXPECT_TRUE(at::equal(normalise(at::stack({rgb, rgb}), spec)[1], planes[0]));
  EXPECT_THROW(normalise(rgb.to(at::kFloat), spec), Error);
}

}  // namespace
}  // namespace conclave
