#include "teachers/torchscript_net.h"

#include <ATen/ATen.h>
#include <caffe2/serialize/inline_container.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/script.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "core/error.h"
#include "core/file.h"
#include "teachers/engine.h"

namespace conclave {
namespace {

using ::testing::HasSubstr;

// The bytes of a TorchScript file with this forward.
std::string script(const std::string& code) {
  torch::jit::Module module("net");
  module.define(code);
  std::ostringstream out;
  module.save(out);
  return out.str();
}

std::string heads_script() {
  return script(R"(
def forward(self, x):
    blocks = torch.avg_pool2d(x, [4, 4])
    heat = blocks[:, 0:1] - 5.0
    return heat, blocks[:, 1:3] * 0.0 + 6.0, blocks[:, 0:2] * 0.0 + 0.5
)");
}

std::string error_of(const std::string& bytes) {
  try {
    open_torchscript(bytes, "x.pt", {})->run(at::zeros({1, 3, 32, 32}));
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(TorchScriptNet, FlattensTuplesListsAndDictionaries) {
  const std::string bytes = script(R"(
def forward(self, x):
    a = x[:, 0]
    return (a, [{"hm": a + 1.0, "wh": a + 2.0}])
)");
  const auto outputs = open_torchscript(bytes, "x.pt", {})->run(at::zeros({1, 3, 8, 8}));
  ASSERT_EQ(outputs.size(), 3u);
  EXPECT_EQ(outputs[0].name, "");
  EXPECT_EQ(outputs[1].name, "hm");
  EXPECT_EQ(outputs[2].name, "wh");
  EXPECT_FLOAT_EQ(outputs[2].tensor.max().item<float>(), 2);
}

TEST(TorchScriptNet, TakesAListOfImagesAndKnowsNonMaximumSuppression) {
  // As torchvision's detectors: a list of (3,H,W) in, a list of dictionaries out. Made by PyTorch and torchvision,
  // tests/teachers/make_foreign_files.py.
  const auto net =
      open_torchscript(read_file(std::string(CONCLAVE_SOURCE_DIR) + "/tests/golden/foreign/list_nms.pt"), "x.pt", {});
  const auto outputs = net->run(at::zeros({1, 3, 8, 8}));
  ASSERT_EQ(outputs.size(), 3u);
  EXPECT_EQ(outputs[1].name, "scores");
  EXPECT_TRUE(at::equal(outputs[1].tensor, at::tensor({0.9f, 0.7f})));
}

TEST(TorchScriptNet, TheFirstAnswerIsAsTheLaterOnes) {
  const auto net = open_torchscript(heads_script(), "x.pt", {});
  const at::Tensor images = at::rand({1, 3, 32, 32});
  const auto first = net->run(images);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(at::equal(net->run(images)[0].tensor, first[0].tensor));
}

TEST(TorchScriptNet, RefusesWhatIsNotAWholeArchive) {
  const std::string whole = heads_script();
  EXPECT_EQ(error_of(whole), "no error");
  EXPECT_THAT(error_of("not an archive"), HasSubstr("is not a TorchScript file"));
  EXPECT_THAT(error_of(""), HasSubstr("is not a TorchScript file"));
  for (std::size_t size = 4; size < whole.size(); size += 1 + whole.size() / 300)
    EXPECT_THAT(error_of(whole.substr(0, size)), HasSubstr("damaged or truncated"));
}

TEST(TorchScriptNet, FindsEveryFlippedByteOfItsContents) {
  const std::string whole = heads_script();
  std::size_t found = 0, tried = 0;
  for (std::size_t i = 0; i < whole.size(); i += 7) {
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x20);
    ++tried;
    found += error_of(flipped) != "no error" ? 1 : 0;  // dates and padding are nobody's contents
  }
  EXPECT_GT(found, tried / 4);
}

TEST(TorchScriptNet, RefusesWhatTouchesFiles) {
  const std::string target = "/tmp/conclave-must-not-be-written-" + std::to_string(::getpid());
  const std::string bytes = script("def forward(self, x):\n    torch.save(x, \"" + target + "\")\n    return x\n");
  EXPECT_THAT(error_of(bytes), HasSubstr("touches files"));
  EXPECT_FALSE(std::filesystem::exists(target));
}

// The archive with its code changed, the rest as it was.
std::string with_code(const std::string& bytes, const std::string& before, const std::string& after) {
  std::istringstream in(bytes);
  caffe2::serialize::PyTorchStreamReader reader(&in);
  std::string out;
  caffe2::serialize::PyTorchStreamWriter writer([&](const void* data, std::size_t size) {
    out.append(static_cast<const char*>(data), size);
    return size;
  });
  std::size_t changed = 0;
  for (const std::string& name : reader.getAllRecords()) {
    if (name == "version" || name == "byteorder" || name.starts_with(".data/")) continue;  // the writer's own
    const auto [data, size] = reader.getRecord(name);
    std::string record(static_cast<const char*>(data.get()), size);
    if (const std::size_t at = record.find(before); name.ends_with(".py") && at != std::string::npos) {
      record.replace(at, before.size(), after);
      ++changed;
    }
    writer.writeRecord(name, record.data(), record.size());
  }
  writer.writeEndOfFile();
  EXPECT_EQ(changed, 1u);
  return out;
}

TEST(TorchScriptNet, RefusesFileAccessHoweverItIsWritten) {
  const std::string target = "/tmp/conclave-must-not-be-written-" + std::to_string(::getpid());
  const std::string file = "\"" + target + "\"";
  const std::string body = "return torch.neg(x)", rest = "\n    return x";
  const std::string plain = script("def forward(self, x):\n    return torch.neg(x)\n");
  EXPECT_EQ(error_of(with_code(plain, body, "return torch.abs(x)")), "no error");
  for (const std::string call :
       {"torch . save(x, ", "torch.save (x, ", "ops.aten. save(x, ", "t = torch\n    t.save(x, "}) {
    EXPECT_THAT(error_of(with_code(plain, body, call + file + ")" + rest)), HasSubstr("touches files")) << call;
  }
  EXPECT_THAT(error_of(with_code(plain, body, "return torch . from_file(" + file + ")")), HasSubstr("touches files"));
  const std::string helper =
      script("def helper(self, x):\n    return torch.neg(x)\ndef forward(self, x):\n    return self.helper(x)\n");
  const std::string inner =
      "if bool(torch.any(x)):\n      torch . save(x, " + file + ")\n      y = x\n    else:\n      y = x\n    return y";
  EXPECT_THAT(error_of(with_code(helper, body, inner)), HasSubstr("touches files"));
  EXPECT_THAT(error_of(with_code(plain, "def forward",
                                 "def __setstate__(self, x: Tensor) -> Tensor:\n    return x\n  def forward")),
              HasSubstr("runs while it is loaded"));
  EXPECT_FALSE(std::filesystem::exists(target));
}

TEST(TorchScriptNet, RefusesOtherForwards) {
  EXPECT_THAT(error_of(script("def forward(self, x, y):\n    return x\n")), HasSubstr("takes 2 arguments"));
  EXPECT_THAT(error_of(script("def forward(self, n: int):\n    return n\n")), HasSubstr("takes a int"));
  EXPECT_THAT(error_of(script("def other(self, x):\n    return x\n")), HasSubstr("no method `forward`"));
  EXPECT_THAT(error_of(script("def forward(self, x):\n    return torch.matmul(x, torch.ones([7, 7]))\n")),
              HasSubstr("can't run it on images of 32 x 32"));
}

class TorchScriptEngine : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() / ("conclave-script-" + std::to_string(::getpid()) + ".pt");
    write_file_atomically(path_, heads_script());
    file_.weights = path_;
    file_.classes = {"thing"};
    file_.format.mean = {0, 0, 0};
    file_.format.std = {255, 255, 255};
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::filesystem::path path_;
  TeacherFile file_;
};

TEST_F(TorchScriptEngine, AnswersEachViewAloneAndOnTheViewsGrid) {
  const at::Tensor pixels = at::randint(0, 256, {3, 64, 96, 3}, at::kByte);
  Engine engine(file_, {});
  const HeadOutputs all = engine.run(pixels);
  EXPECT_EQ(all.heat.sizes(), (std::vector<std::int64_t>{3, 1, 16, 24}));
  EXPECT_TRUE(at::equal(all.heat.narrow(0, 1, 1), engine.run(pixels.narrow(0, 1, 1)).heat));
  const at::Tensor red = at::avg_pool2d(pixels.select(3, 0).to(at::kFloat).div(255).unsqueeze(1), {4, 4}) - 5;
  EXPECT_TRUE(at::allclose(all.heat, red, 1e-4, 1e-4));
  file_.format.width = 192;
  file_.format.height = 192;
  EXPECT_EQ(Engine(file_, {}).run(pixels).wh.sizes(), (std::vector<std::int64_t>{3, 2, 16, 24}));
  EXPECT_NEAR(Engine(file_, {}).run(pixels).wh[0][0][8][8].item<float>(), 3, 1e-5);  // 6 cells at twice the size
}

TEST_F(TorchScriptEngine, TheHashCoversTheDescription) {
  const std::string hash = Engine(file_, {}).hash();
  EXPECT_EQ(hash, Engine(file_, {}).hash());
  file_.format.bgr = true;
  const std::string other = Engine(file_, {}).hash();
  EXPECT_NE(hash, other);
  file_.classes = {"something"};
  EXPECT_NE(other, Engine(file_, {}).hash());
}

}  // namespace
}  // namespace conclave
