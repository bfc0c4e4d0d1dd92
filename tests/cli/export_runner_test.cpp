#include "cli/export_runner.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"
#include "export/agreement.h"
#include "export/small_network.h"
#include "export/write_export.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

class ExportRunner : public testing::Test {
 protected:
  // Writes an export, model.json included.
  void write(ExportFormat format, GraphOutputs outputs, bool exact = false, int batch = 1) {
    const auto model = small_network();
    ExportOptions options;
    options.format = format;
    options.opset = 13;
    options.graph = small_options();
    options.graph.outputs = outputs;
    options.graph.exact_peaks = exact;
    options.graph.batch = batch;
    const ExportSource source{"weights", "hash", {{"cat", 0.25}}};
    write_export(*model, source, options, "/nowhere/python3", folder_.path());
    about_ = describe_export(model->spec(), source, options);
    describe("format", about_["format"]);
  }
  void describe(const std::string& key, const Json& value) {
    about_[key] = value;
    write_file_atomically(folder_ / "model.json", about_.dump());
  }
  std::string error_of() {
    try {
      open_export(folder_.path(), {}).network(some_pixels(1, 64, 96));
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder folder_;
  Json about_;
};

TEST_F(ExportRunner, KnowsThresholdsAndBatch) {
  write(ExportFormat::kTorchScript, GraphOutputs::kHeads);
  const Runner any = open_export(folder_.path(), {});
  EXPECT_EQ(any.thresholds, (std::map<std::string, double>{{"cat", 0.25}}));
  EXPECT_EQ(any.batch, 0);
  EXPECT_EQ(any.network(some_pixels(1, 64, 96)).heads.heat.size(1), 2);
  describe("dynamic_batch", false);
  EXPECT_EQ(open_export(folder_.path(), {}).batch, 1);
  describe("thresholds", "high");
  EXPECT_THAT(error_of(), HasSubstr("not a map of classes to scores"));
}

TEST_F(ExportRunner, OutputsThatAreNotAsDescribedAreNamed) {
  write(ExportFormat::kTorchScript, GraphOutputs::kHeads);
  describe("classes", {"a", "b", "c"});
  EXPECT_THAT(error_of(), HasSubstr("the output heat is (1,2,16,24), not (1,3,16,24)"));
  EXPECT_THAT(error_of(), HasSubstr("model.pt"));
  describe("classes", {"a", "b"});
  describe("outputs", {"boxes", "scores", "classes"});
  EXPECT_THAT(error_of(), HasSubstr("the output boxes is (1,2,16,24), not (1,K,4)"));
}

TEST_F(ExportRunner, ANormalisationThatIsNoneIsRefused) {
  write(ExportFormat::kTorchScript, GraphOutputs::kHeads);
  describe("std", {58.0, 0.0, 57.0});
  EXPECT_THAT(error_of(), HasSubstr("std positive"));
  describe("std", {58.0, 57.0, 57.0, 57.0});
  EXPECT_THAT(error_of(), HasSubstr("three numbers each"));
}

TEST_F(ExportRunner, BoxesOfClassesThatAreNoneAreRefused) {
  write(ExportFormat::kTorchScript, GraphOutputs::kBoxes);
  EXPECT_EQ(error_of(), "no error");
  const auto with_class = [](std::int64_t number) {
    check_outputs({at::ones({1, 2, 4}), at::ones({1, 2}), at::tensor({std::int64_t{0}, number}).view({1, 2})},
                  GraphOutputs::kBoxes, 2, 1, 64, 96, "x");
  };
  EXPECT_NO_THROW(with_class(1));
  EXPECT_THROW(with_class(2), Error);
  EXPECT_THROW(with_class(-1), Error);
}

TEST_F(ExportRunner, OperatorsThatOpenCvLacksAreLeftToOtherRuntimes) {
  write(ExportFormat::kOnnx, GraphOutputs::kPeaks, true);
  EXPECT_THAT(error_of(), HasSubstr("only onnxruntime runs this export"));
}

TEST_F(ExportRunner, PathsToOtherFilesAreRefusedWhateverRunsTheExport) {
  write(ExportFormat::kOnnx, GraphOutputs::kBoxes);
  EXPECT_THAT(error_of(), HasSubstr("only onnxruntime runs this export"));
  write_file_atomically(folder_ / "model.onnx",
                        read_file(std::string(CONCLAVE_SOURCE_DIR) + "/tests/golden/foreign/external_outside.onnx"));
  EXPECT_THAT(error_of(), HasSubstr("'../../../etc/passwd', outside of its folder; it was not opened"));
}

}  // namespace
}  // namespace conclave
