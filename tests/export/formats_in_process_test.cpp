// Each format, run inside this process, says what the network itself says.
#include <gtest/gtest.h>

#include "core/error.h"
#include "export/agreement.h"
#include "export/caffe_file.h"
#include "export/formats.h"
#include "export/write_export.h"
#include "small_network.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

struct Case {
  ExportFormat format;
  GraphInput input;
  GraphOutputs outputs;
  bool exact = false, half = false, dynamic = false, wh_per_class = false;
};

std::string label(const Case& c) {
  std::string text;
  for (const FormatRow& row : export_formats()) {
    if (row.format == c.format) text = row.name;
  }
  text += c.input == GraphInput::kNormalised ? "" : c.input == GraphInput::kRgb ? "_rgb" : "_bgr";
  text += c.outputs == GraphOutputs::kHeads ? "_heads" : c.outputs == GraphOutputs::kPeaks ? "_peaks" : "_boxes";
  return text + (c.exact ? "_exact" : "") + (c.half ? "_half" : "") + (c.dynamic ? "_dynamic" : "") +
         (c.wh_per_class ? "_wh_per_class" : "");
}

// Without a Python: only what runs inside.
constexpr const char* kNoPython = "/nowhere/python3";

at::Tensor input_of(const at::Tensor& pixels, const ModelSpec& spec, GraphInput input) {
  if (input == GraphInput::kNormalised) return normalise(pixels, spec);
  const at::Tensor planes = pixels.permute({0, 3, 1, 2});
  return (input == GraphInput::kBgr ? planes.flip(1) : planes).contiguous();
}

class InProcess : public testing::TestWithParam<Case> {};

TEST_P(InProcess, SaysWhatTheNetworkSays) {
  const Case c = GetParam();
  const auto model = small_network(c.wh_per_class);
  ExportOptions options;
  options.format = c.format;
  options.opset = 13;
  options.graph = small_options();
  options.graph.input = c.input;
  options.graph.outputs = c.outputs;
  options.graph.exact_peaks = c.exact;
  options.graph.half = c.half;
  options.dynamic_batch = options.dynamic_size = c.dynamic;
  const TemporaryFolder folder;
  write_export(*model, {"weights", "hash"}, options, kNoPython, folder.path());
  std::vector<std::string> skipped;
  const auto runtimes = runtimes_of(options, kNoPython, folder.path(), skipped);
  ASSERT_EQ(runtimes.size(), 1u) << (skipped.empty() ? "" : skipped.front());

  struct Size {
    int batch, height, width;
  };
  std::vector<Size> sizes = {{1, 64, 96}};
  if (c.dynamic || c.format == ExportFormat::kTorchScript) sizes = {{1, 64, 96}, {7, 64, 96}, {2, 96, 128}};
  const torch::NoGradGuard no_grad;
  Agreement agreement;
  for (const Size& size : sizes) {
    const at::Tensor pixels = some_pixels(size.batch, size.height, size.width);
    const HeadOutputs heads = model->forward(normalise(pixels, model->spec()));
    agreement.add(heads, runtimes[0]->run(input_of(pixels, model->spec(), c.input), size.batch), options.graph);
  }
  EXPECT_EQ(disagreement(agreement, c.half), "");
  EXPECT_GT(agreement.peaks, 10);
  EXPECT_EQ(agreement.missing + agreement.extra, 0);
}

using enum ExportFormat;
INSTANTIATE_TEST_SUITE_P(
    EveryFormat, InProcess,
    testing::Values(Case{kTorchScript, GraphInput::kNormalised, GraphOutputs::kHeads},
                    Case{kTorchScript, GraphInput::kRgb, GraphOutputs::kPeaks},
                    Case{kTorchScript, GraphInput::kBgr, GraphOutputs::kPeaks, true},
                    Case{kTorchScript, GraphInput::kRgb, GraphOutputs::kBoxes},
                    Case{kTorchScript, GraphInput::kRgb, GraphOutputs::kHeads, false, true},
                    Case{kTorchScript, GraphInput::kNormalised, GraphOutputs::kBoxes, false, false, false, true}
#ifdef CONCLAVE_DNN
                    ,
                    Case{kOnnx, GraphInput::kNormalised, GraphOutputs::kHeads},
                    Case{kOnnx, GraphInput::kBgr, GraphOutputs::kPeaks},
                    Case{kOnnx, GraphInput::kNormalised, GraphOutputs::kHeads, false, false, true},
                    Case{kTensorRt, GraphInput::kRgb, GraphOutputs::kPeaks},
                    Case{kOnnx, GraphInput::kNormalised, GraphOutputs::kHeads, false, false, false, true},
                    Case{kCaffe, GraphInput::kNormalised, GraphOutputs::kHeads},
                    Case{kCaffe, GraphInput::kBgr, GraphOutputs::kPeaks}
#endif
                    ),
    [](const auto& tested) { return label(tested.param); });

TEST(CheckExport, RefusesWhatAFormatCanNotHave) {
  const auto refused = [](auto change) {
    ExportOptions options;
    change(options);
    EXPECT_THROW(check_export(options), Error);
  };
  EXPECT_NO_THROW(check_export({}));
  refused([](ExportOptions& o) {
    o.format = kCaffe;
    o.dynamic_batch = true;
  });
  refused([](ExportOptions& o) {
    o.format = kCaffe;
    o.graph.half = true;
  });
  refused([](ExportOptions& o) {
    o.format = kTensorRt;
    o.graph.outputs = GraphOutputs::kBoxes;
  });
  refused([](ExportOptions& o) {
    o.format = kNcnn;
    o.dynamic_size = true;
  });
  refused([](ExportOptions& o) {
    o.format = kNcnn;
    o.graph.batch = 2;
  });
  refused([](ExportOptions& o) { o.opset = 12; });
  refused([](ExportOptions& o) { o.graph.width = 100; });
}

TEST(Caffe, RefusesSortingByTheLayersName) {
  GraphOptions options = small_options();
  options.outputs = GraphOutputs::kBoxes;
  try {
    caffe_files(build_graph(*small_network(), options));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), "decode");
  }
}

TEST(Agreement, FindsAFileThatIsNotItsSource) {
  const auto model = small_network();
  const torch::NoGradGuard no_grad;
  const HeadOutputs heads = model->forward(normalise(some_pixels(1, 64, 96), model->spec()));
  Agreement same, other, shifted;
  same.add(heads, {heads.heat, heads.wh, heads.offset}, small_options());
  EXPECT_EQ(disagreement(same, false), "");
  other.add(heads, {heads.heat + 2e-4, heads.wh, heads.offset}, small_options());
  EXPECT_NE(disagreement(other, false).find("heat differs"), std::string::npos);
  shifted.add(heads, {heads.heat.roll({1}, {3}), heads.wh, heads.offset}, small_options());
  EXPECT_GT(shifted.missing, 0);
  EXPECT_GT(shifted.extra, 0);
  Agreement broken;
  broken.add(heads, {heads.heat, heads.wh * std::numeric_limits<float>::quiet_NaN(), heads.offset}, small_options());
  EXPECT_NE(disagreement(broken, false), "");
}

TEST(Agreement, OfFloat16FailsWherePeaksAreOthers) {
  const auto model = small_network();
  const torch::NoGradGuard no_grad;
  const HeadOutputs heads = model->forward(normalise(some_pixels(1, 64, 96), model->spec()));
  GraphOptions options = small_options();
  options.half = true;
  options.outputs = GraphOutputs::kPeaks;
  Agreement silent, same;
  silent.add(heads, {at::zeros_like(heads.heat), heads.wh, heads.offset}, options);
  EXPECT_NE(disagreement(silent, true).find("are missing"), std::string::npos);
  same.add(heads, {keep_peaks(heads.heat.to(at::kHalf).to(at::kFloat).sigmoid()), heads.wh, heads.offset}, options);
  EXPECT_EQ(disagreement(same, true), "");
}

TEST(Agreement, SaysWhereNothingWasCompared) {
  const auto model = small_network();
  const torch::NoGradGuard no_grad;
  HeadOutputs heads = model->forward(normalise(some_pixels(1, 64, 96), model->spec()));
  heads.heat = at::full_like(heads.heat, -9);
  GraphOptions options = small_options();
  Agreement none, maps, boxes;
  EXPECT_NE(not_compared(none, GraphOutputs::kHeads), "");
  maps.add(heads, {heads.heat, heads.wh, heads.offset}, options);
  EXPECT_EQ(not_compared(maps, GraphOutputs::kHeads), "");
  options.outputs = GraphOutputs::kBoxes;
  boxes.add(heads, {at::zeros({1, 20, 4}), at::zeros({1, 20}), at::zeros({1, 20}, at::kLong)}, options);
  EXPECT_EQ(disagreement(boxes, false), "");
  EXPECT_NE(not_compared(boxes, GraphOutputs::kBoxes).find("nothing above 0.1"), std::string::npos);
}

}  // namespace
}  // namespace conclave
