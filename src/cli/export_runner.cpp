#include "cli/export_runner.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <span>

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "export/agreement.h"
#include "export/runtime.h"
#include "models/detector.h"
#include "teachers/onnx_reader.h"
#include "teachers/torchscript_net.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::size_t kMostJson = 1 << 24;  // bytes

// model.json, checked.
struct Description {
  ModelSpec spec;  // architecture aside
  std::string format, input;
  bool bytes = false;  // pixels are uint8
  int batch = 1;
  bool any_batch = false, any_size = false;
  GraphOutputs outputs = GraphOutputs::kHeads;
  std::map<std::string, double> thresholds;
};

GraphOutputs outputs_from(const std::vector<std::string>& names) {
  for (const GraphOutputs outputs : {GraphOutputs::kHeads, GraphOutputs::kPeaks, GraphOutputs::kBoxes}) {
    if (output_names(outputs) == names) return outputs;
  }
  throw std::invalid_argument("outputs");
}

Description description_of(const fs::path& file) {
  Description d;
  Json json;
  try {
    json = Json::parse(read_file(file, kMostJson));
    d.format = json.at("format").get<std::string>();
    d.spec.classes = json.at("classes").get<std::vector<std::string>>();
    d.spec.width = json.at("width").get<int>();
    d.spec.height = json.at("height").get<int>();
    d.spec.mean = json.at("mean").get<std::array<float, 3>>();
    d.spec.std = json.at("std").get<std::array<float, 3>>();
    const auto positive = [](float value) { return value > 0 && value < 1e6f; };
    if (json["mean"].size() != 3 || json["std"].size() != 3 ||
        !std::all_of(d.spec.std.begin(), d.spec.std.end(), positive))
      throw std::invalid_argument("mean and std must be three numbers each, std positive");
    d.input = json.at("input").get<std::string>();
    d.bytes = json.at("input_type").get<std::string>() == "uint8";
    d.batch = json.at("batch").get<int>();
    d.any_batch = json.at("dynamic_batch").get<bool>();
    d.any_size = json.at("dynamic_size").get<bool>();
    d.outputs = outputs_from(json.at("outputs").get<std::vector<std::string>>());
  } catch (const std::exception& error) {
    throw Error(std::string("does not describe an export: ") + error.what(), file.string(),
                "conclave export writes it beside the network");
  }
  if (json.contains("thresholds")) d.thresholds = thresholds_from({{"thresholds", json["thresholds"].dump()}}, file);
  const auto side = [](int value) { return value >= 32 && value <= 16384 && value % 32 == 0; };
  if (d.spec.classes.empty() || !side(d.spec.width) || !side(d.spec.height) || d.batch < 1 || d.batch > 1024) {
    throw Error("describes no detector: classes, width, height or batch are out of range", file.string());
  }
  return d;
}

// The network's file in the folder of an export.
fs::path network_file(const fs::path& folder) {
  for (const char* name : {"model.pt", "model.onnx", "model.prototxt", "model.xml", "model.ncnn.param"}) {
    if (fs::exists(folder / name)) return folder / name;
  }
  throw Error("no exported network in this folder", folder.string(),
              "it holds none of model.pt, model.onnx, model.prototxt, model.xml and model.ncnn.param");
}

std::unique_ptr<Runtime> python_runtime(const NetworkBytes& network, const std::vector<std::string>& outputs,
                                        const std::string& python) {
  const fs::path& file = network.file;
  const std::string name = file.extension() == ".onnx"  ? "onnxruntime"
                           : file.extension() == ".xml" ? "openvino"
                                                        : "ncnn";
  if (python.empty()) {
    throw Error("only " + name + " runs this export, and this command does not use it", file.string(),
                "export heads or peaks in float32 for OpenCV, or --format torchscript");
  }
  std::string why;
  auto runtime = make_python_runtime(name, network, outputs, python, why);
  if (runtime == nullptr) throw Error(name + " can't be used: " + why, file.string(), "--python names one that has it");
  return runtime;
}

// OpenCV has no comparison of maps, no top k and no float16 in what it reads.
bool opencv_reads(const OnnxModel& model) {
  for (const auto& [key, value] : model.metadata) {
    if ((key == "peaks" && value == "comparison") || (key == "fp16" && value == "true") || key == "top_k") return false;
  }
  return true;
}

// The bytes that were checked are those that run.
std::unique_ptr<Runtime> runtime_of(const NetworkBytes& network, const Description& about,
                                    const RunnerOptions& options) {
  const fs::path& file = network.file;
  const std::vector<std::string> outputs = output_names(about.outputs);
  const std::string extension = file.extension().string();
  if (extension == ".pt") {
    return make_torchscript_runtime(load_torchscript(network.network, file.string(), at::kCPU), file.string());
  }
  if (extension == ".onnx") {
    const OnnxModel model = read_onnx(network.network, file.string(), OnnxOperators::kAny);
    if (about.outputs != GraphOutputs::kBoxes && opencv_reads(model)) {
      if (auto opencv = make_opencv_runtime(network, outputs)) return opencv;
    }
  }
  if (extension == ".prototxt") {
    if (auto opencv = make_opencv_runtime(network, outputs)) return opencv;
    throw Error("this build runs no Caffe files", file.string(), "configure with -DCONCLAVE_DNN=ON");
  }
  return python_runtime(network, outputs, options.python);
}

// As the graph takes it: (B,3,H,W).
at::Tensor input_of(const at::Tensor& pixels, const Description& about) {
  if (about.input == "normalised") return normalise(pixels, about.spec);
  at::Tensor planes = pixels.permute({0, 3, 1, 2});
  if (about.input == "bgr") planes = planes.flip(1);
  return planes.contiguous().to(about.bytes ? at::kByte : at::kFloat);
}

NetworkAnswer run(Runtime& runtime, const at::Tensor& pixels, const Description& about, const std::string& where) {
  const std::int64_t count = pixels.size(0), batch = about.any_batch ? count : about.batch;
  at::Tensor images = input_of(pixels, about);
  if (const std::int64_t missing = (batch - count % batch) % batch; missing > 0) {  // the last one again
    images = at::cat({images, images.narrow(0, count - 1, 1).repeat({missing, 1, 1, 1})});
  }
  std::vector<at::Tensor> outputs = runtime.run(images, static_cast<int>(batch));
  check_outputs(outputs, about.outputs, static_cast<std::int64_t>(about.spec.classes.size()), images.size(0),
                images.size(2), images.size(3), where);
  for (at::Tensor& output : outputs) {
    output = output.narrow(0, 0, count);
    if (output.is_floating_point()) output = output.to(at::kFloat).contiguous();
  }
  if (about.outputs == GraphOutputs::kHeads) return {{outputs.at(0), outputs.at(1), outputs.at(2)}, std::nullopt};
  constexpr int kAll = 1000;
  return {{}, detections_of(outputs, about.outputs, {kAll, 0})};
}

}  // namespace

bool is_export(const fs::path& path) {
  return fs::is_directory(path) || path.extension() != ".safetensors";
}

Runner open_export(const fs::path& path, const RunnerOptions& options) {
  const fs::path file = fs::is_directory(path) ? network_file(path) : path;
  const NetworkBytes network = read_network(file);
  const fs::path described = file.parent_path() / "model.json";
  if (!fs::exists(described)) {
    throw Error("there is no model.json beside it", file.string(),
                "give .safetensors weights, or a network as conclave export wrote it, in its folder");
  }
  if (options.bf16 || options.device != "cpu") {
    throw Error("an export runs on the CPU, in the precision it was written with", file.string(),
                "leave --bf16 and --device out", Exit::kUsage);
  }
  const Description about = description_of(described);
  Runner runner;
  const std::shared_ptr<Runtime> runtime = runtime_of(network, about, options);
  runner.network = [runtime, about, where = file.string()](const at::Tensor& pixels) {
    return run(*runtime, pixels, about, where);
  };
  runner.classes = about.spec.classes;
  runner.format = about.format;
  runner.width = about.spec.width;
  runner.height = about.spec.height;
  runner.any_size = about.any_size;
  runner.batch = about.any_batch ? 0 : about.batch;
  runner.thresholds = about.thresholds;
  runner.hash = sha256(std::as_bytes(std::span(network.network)));
  runner.file_bytes = static_cast<std::int64_t>(network.network.size() + network.weights.size());
  return runner;
}

}  // namespace conclave
