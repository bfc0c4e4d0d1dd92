#include "models/weights.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <fstream>
#include <functional>
#include <limits>

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "model_files.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

class Weights : public testing::Test {
 protected:
  // Values that differ from a fresh network's in every tensor.
  static TensorMap trained() {
    TensorMap state = state_of(*make_detector(small_spec(), 9));
    for (auto& [name, tensor] : state) {
      tensor = tensor.is_floating_point() ? tensor + 0.125 : at::full_like(tensor, 41);
    }
    return state;
  }

  std::string load_error(const ModelSpec& spec, const TensorMap& state) const {
    save_detector(path_, spec, state);
    return message_of([&] { load_detector(path_); });
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "weights.safetensors";
};

TEST_F(Weights, ComeBackWithTheirSpecAndHash) {
  save_detector(path_, small_spec(), trained(), {{"run", "demo"}, {"format", "mine"}});
  const LoadedDetector loaded = load_detector(path_);
  EXPECT_EQ(loaded.model->spec().architecture, small_spec().architecture);
  EXPECT_EQ(loaded.model->spec().classes, small_spec().classes);
  EXPECT_FALSE(loaded.model->is_training());
  const std::string bytes = read_file(path_);
  EXPECT_EQ(loaded.hash, sha256(std::as_bytes(std::span(bytes))));
  EXPECT_EQ(TensorFile::open(path_).metadata().at("run"), "demo");
  const TensorMap state = state_of(*loaded.model);
  ASSERT_EQ(state.size(), trained().size());
  for (const auto& [name, tensor] : trained()) EXPECT_TRUE(at::equal(tensor, state.at(name))) << name;
}

TEST_F(Weights, AreTheSameBytesWhateverTheMemoryFormat) {
  TensorMap state = trained();
  save_detector(path_, small_spec(), state);
  for (auto& [name, tensor] : state) {
    if (tensor.dim() == 4) tensor = tensor.contiguous(at::MemoryFormat::ChannelsLast);
  }
  save_detector(folder_ / "other", small_spec(), state);
  EXPECT_EQ(read_file(path_), read_file(folder_ / "other"));
}

TEST_F(Weights, OfHalfPrecisionAreReadAsFloat) {
  for (const at::ScalarType type : {at::kHalf, at::kBFloat16, at::kDouble}) {
    TensorMap state = trained();
    for (auto& [name, tensor] : state) {
      if (tensor.is_floating_point()) tensor = tensor.to(type);
    }
    save_detector(path_, small_spec(), state);
    for (const auto& [name, tensor] : state_of(*load_detector(path_).model)) {
      EXPECT_EQ(tensor.scalar_type(), tensor.is_floating_point() ? at::kFloat : at::kLong);
      EXPECT_TRUE(at::equal(tensor, state.at(name).to(tensor.scalar_type()))) << name;
    }
  }
}

TEST_F(Weights, OfAnotherArchitectureAreRefusedWithNamesAndShapes) {
  ModelSpec other = small_spec();
  other.architecture.skip = false;
  other.architecture.head_channels = 4;
  const std::string error = load_error(other, trained());
  EXPECT_NE(error.find(path_.string()), std::string::npos) << error;
  EXPECT_NE(error.find("unexpected: neck.stages.0.lateral.weight [6, 8, 1, 1]"), std::string::npos) << error;
  EXPECT_NE(error.find("other shape: heat.0.weight is [3, 4, 3, 3], the network has [4, 4, 3, 3]"), std::string::npos);
  EXPECT_NE(error.find("its metadata says resnet18, width 2, neck deconv 6-5-4, head 4"), std::string::npos) << error;
}

TEST_F(Weights, ThatLackTensorsAreRefused) {
  TensorMap state = trained();
  state.erase("wh.2.bias");
  state.erase("backbone.bn1.running_var");
  const std::string error = load_error(small_spec(), state);
  EXPECT_NE(error.find("missing: wh.2.bias [2]"), std::string::npos) << error;
  EXPECT_NE(error.find("missing: backbone.bn1.running_var [2]"), std::string::npos) << error;
}

TEST_F(Weights, ThatAreTooSmallForTheirSpecAreRefusedBeforeMemoryIsTaken) {
  ModelSpec huge = small_spec();
  huge.architecture.backbone = "resnet50";
  huge.architecture.width = 1024;
  EXPECT_NE(load_error(huge, trained()).find("as its metadata says, has at least"), std::string::npos);
}

TEST_F(Weights, WithValuesThatAreNotFiniteAreRefused) {
  TensorMap state = trained();
  state.at("heat.0.weight")[0][0][0][0] = std::numeric_limits<float>::infinity();
  EXPECT_NE(load_error(small_spec(), state).find("tensor heat.0.weight has values that are not finite"),
            std::string::npos);
}

TEST_F(Weights, TruncatedAnywhereAreRefused) {
  save_detector(path_, small_spec(), trained());
  const std::string whole = read_file(path_);
  for (std::size_t length = 0; length < whole.size(); length += 1 + whole.size() / 200) {
    std::ofstream(folder_ / "short", std::ios::binary | std::ios::trunc) << whole.substr(0, length);
    EXPECT_NE(message_of([&] { load_detector(folder_ / "short"); }).find("short"), std::string::npos) << length;
  }
}

TEST_F(Weights, WithOverlappingTensorsAreRefused) {
  save_detector(path_, small_spec(), trained());
  std::string bytes = read_file(path_);
  // The second tensor of the file starts where the first one does.
  const std::size_t first = bytes.find("\"data_offsets\":[0,");
  ASSERT_NE(first, std::string::npos);
  const std::size_t end = bytes.find(']', first);
  const std::string size = bytes.substr(first + 18, end - first - 18);
  const std::size_t second = bytes.find("[" + size + ",");
  ASSERT_NE(second, std::string::npos);
  bytes.replace(second + 1, size.size(), std::string(size.size() - 1, ' ') + "0");
  write_file_atomically(path_, bytes);
  EXPECT_NE(message_of([&] { load_detector(path_); }).find(path_.string()), std::string::npos);
}

TEST_F(Weights, OfOtherProgramsAreRefused) {
  write_tensor_map(path_, trained(), {{"format", "pt"}});
  EXPECT_NE(message_of([&] { load_detector(path_); }).find("not a detector's weights"), std::string::npos);
  EXPECT_FALSE(message_of([&] { load_detector(folder_ / "absent"); }).empty());
}

TEST(LoadState, LeavesTheModuleAloneWhenItRefuses) {
  const auto model = make_detector(small_spec(), 1);
  TensorMap state = state_of(*make_detector(small_spec(), 2));
  state["neck.more"] = at::zeros({1});
  const std::string error = message_of([&] { load_state(*model, state, "checkpoint"); });
  EXPECT_NE(error.find("checkpoint: "), std::string::npos);
  EXPECT_NE(error.find("unexpected: neck.more [1]"), std::string::npos) << error;
  EXPECT_TRUE(at::equal(state_of(*model).at("backbone.conv1.weight"),
                        state_of(*make_detector(small_spec(), 1)).at("backbone.conv1.weight")));
}

TEST(ViewOf, RefusesWhatItCannotShow) {
  EXPECT_THROW(view_of(at::ones({2, 3}).t()), Error);
  EXPECT_THROW(view_of(at::ones({2}, at::kComplexFloat)), Error);
  const at::Tensor empty = at::ones({0, 3}, at::kInt), scalar = at::scalar_tensor(2.5, at::kDouble);
  EXPECT_EQ(tensor_from(view_of(empty)).sizes(), at::IntArrayRef({0, 3}));
  EXPECT_EQ(tensor_from(view_of(scalar)).item<double>(), 2.5);
}

}  // namespace
}  // namespace conclave
