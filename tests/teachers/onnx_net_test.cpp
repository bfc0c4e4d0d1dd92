#include "teachers/onnx_net.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/file.h"
#include "teachers/onnx_reader.h"

namespace conclave {
namespace {

using ::testing::HasSubstr;

// Files of tests/teachers/make_foreign_files.py.
std::string golden(const std::string& name) {
  return read_file(std::string(CONCLAVE_SOURCE_DIR) + "/tests/golden/foreign/" + name);
}

std::string reading_error(const std::string& bytes) {
  try {
    read_onnx(bytes, "x.onnx");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(OnnxReader, SeesInputAndOutputs) {
  const OnnxModel model = read_onnx(golden("heads.onnx"), "x.onnx");
  EXPECT_EQ(model.input, "images");
  EXPECT_EQ(model.shape, (std::vector<std::int64_t>{1, 3, 64, 96}));
  ASSERT_EQ(model.outputs.size(), 3u);
  EXPECT_EQ(model.outputs[1].name, "hm");
  EXPECT_EQ(model.outputs[1].node, "conv_hm");
  EXPECT_EQ(model.opset, 13);
}

TEST(OnnxReader, RefusesWeightsInOtherFiles) {
  EXPECT_THAT(reading_error(golden("external_inside.onnx")),
              HasSubstr("another file, 'weights.bin'; it was not opened"));
  EXPECT_THAT(reading_error(golden("external_outside.onnx")),
              HasSubstr("'../../../etc/passwd', outside of its folder; it was not opened"));
}

TEST(OnnxReader, NamesEveryOperatorThatIsUnknown) {
  EXPECT_THAT(reading_error(golden("unknown_operator.onnx")), HasSubstr("NonMaxSuppression, my.own.Evil"));
  EXPECT_THAT(reading_error(golden("branch.onnx")), HasSubstr("a graph within its graph"));
  EXPECT_EQ(read_onnx(golden("unknown_operator.onnx"), "x.onnx", OnnxOperators::kAny).outputs.size(), 3u);
  EXPECT_THROW(read_onnx(golden("external_outside.onnx"), "x.onnx", OnnxOperators::kAny), Error);
}

TEST(OnnxReader, RefusesAWeightThatIsShorterThanItsShape) {
  EXPECT_THAT(reading_error(golden("short_weight.onnx")), HasSubstr("weight short does not hold as many values"));
}

TEST(OnnxReader, RefusesEveryTruncation) {
  const std::string whole = golden("heads.onnx");
  std::size_t refused = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) refused += reading_error(whole.substr(0, size)) != "no error";
  // Only the opset and the producer may be missing.
  EXPECT_GE(refused + 16, whole.size());
  EXPECT_THAT(reading_error("{\"not\": \"onnx\"}"), HasSubstr("not a whole ONNX model"));
}

#ifdef CONCLAVE_DNN

TEST(OnnxNet, ComputesWhatTheGraphSays) {
  const auto net = open_onnx(golden("heads.onnx"), "x.onnx", {});
  EXPECT_EQ(net->input(), std::pair(96, 64));
  const at::Tensor images = at::rand({1, 3, 64, 96}) * 4 - 2;
  const std::vector<RawOutput> outputs = net->run(images);
  ASSERT_EQ(outputs.size(), 3u);
  const at::Tensor blocks = at::avg_pool2d(images, {4, 4});
  const std::pair<int, float> heads[] = {{20, 3.0f}, {0, -2.0f}, {40, 0.5f}};
  for (std::size_t i = 0; i < 3; ++i) {
    const at::Tensor weight =
        ((at::arange(6) + heads[i].first) * 37).remainder(101).sub(50).to(at::kFloat).div(400).view({2, 3, 1, 1});
    const at::Tensor expected = at::conv2d(blocks, weight, at::full({2}, heads[i].second));
    EXPECT_EQ(outputs[i].name, std::vector<std::string>({"size", "hm", "reg"})[i]);
    EXPECT_TRUE(at::allclose(outputs[i].tensor, expected, 1e-4, 1e-4)) << outputs[i].name;
  }
}

TEST(OnnxNet, FlippedBytesGiveAnErrorOrAnAnswer) {
  const std::string whole = golden("heads.onnx");
  for (std::size_t i = 0; i < whole.size(); i += 3) {
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
    try {
      open_onnx(flipped, "x.onnx", {})->run(at::zeros({1, 3, 64, 96}));
    } catch (const Error&) {
    }
  }
}

TEST(OnnxNet, ComputesInFloatOnTheProcessorAlone) {
  EngineOptions options;
  options.bf16 = true;
  EXPECT_THROW(open_onnx(golden("heads.onnx"), "x.onnx", options), Error);
}

#endif

}  // namespace
}  // namespace conclave
