#include "cli/export_runner.h"

#include <ATen/ATen.h>

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
#include "teachers/torchscript_archive.h"

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
};

GraphOutputs outputs_from(const std::vector<std::string>& names) {
  for (const GraphOutputs outputs : {GraphOutputs::kHeads, GraphOutputs::kPeaks, GraphOutputs::kBoxes}) {
    if (output_names(outputs) == names) return outputs;
  }
  throw std::invalid_argument("outputs");
}

Description description_of(const fs::path& file) {
  Description d;
  try {
    const Json json = Json::parse(read_file(file, kMostJson));
    d.format = json.at("format").get<std::string>();
    d.spec.classes = json.at("classes").get<std::vector<std::string>>();
    d.spec.width = json.at("width").get<int>();
    d.spec.height = json.at("height").get<int>();
    d.spec.mean = json.at("mean").get<std::array<float, 3>>();
    d.spec.std = json.at("std").get<std::array<float, 3>>();
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

std::unique_ptr<Runtime> python_runtime(const fs::path& file, const std::vector<std::string>& outputs,
                                        const std::string& python) {
  const std::string name = file.extension() == ".onnx"  ? "onnxruntime"
                           : file.extension() == ".xml" ? "openvino"
                                                        : "ncnn";
  if (python.empty()) {
    throw Error("only " + name + " runs this export, and this command does not use it", file.string(),
                "export heads or peaks in float32 for OpenCV, or --format torchscript");
  }
  std::string why;
  auto runtime = make_python_runtime(name, file, outputs, python, why);
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

std::unique_ptr<Runtime> runtime_of(const fs::path& file, const std::string& bytes, const Description& about,
                                    const RunnerOptions& options) {
  const std::vector<std::string> outputs = output_names(about.outputs);
  const std::string extension = file.extension().string();
  if (extension == ".pt") {
    check_torchscript_archive(bytes, file.string());
    return make_torchscript_runtime(file);
  }
  if (extension == ".onnx" && about.outputs != GraphOutputs::kBoxes && opencv_reads(read_onnx(bytes, file.string()))) {
    if (auto opencv = make_opencv_runtime(file, outputs)) return opencv;
  }
  if (extension == ".prototxt") {
    if (auto opencv = make_opencv_runtime(file, outputs)) return opencv;
    throw Error("this build runs no Caffe files", file.string(), "configure with -DCONCLAVE_DNN=ON");
  }
  return python_runtime(file, outputs, options.python);
}

// As the graph takes it: (B,3,H,W).
at::Tensor input_of(const at::Tensor& pixels, const Description& about) {
  if (about.input == "normalised") return normalise(pixels, about.spec);
  at::Tensor planes = pixels.permute({0, 3, 1, 2});
  if (about.input == "bgr") planes = planes.flip(1);
  return planes.contiguous().to(about.bytes ? at::kByte : at::kFloat);
}

NetworkAnswer run(Runtime& runtime, const at::Tensor& pixels, const Description& about) {
  const std::int64_t count = pixels.size(0), batch = about.any_batch ? count : about.batch;
  at::Tensor images = input_of(pixels, about);
  if (const std::int64_t missing = (batch - count % batch) % batch; missing > 0) {  // the last one again
    images = at::cat({images, images.narrow(0, count - 1, 1).repeat({missing, 1, 1, 1})});
  }
  std::vector<at::Tensor> outputs = runtime.run(images, static_cast<int>(batch));
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
  const std::string bytes = read_file(file);
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
  const std::shared_ptr<Runtime> runtime = runtime_of(file, bytes, about, options);
  runner.network = [runtime, about](const at::Tensor& pixels) { return run(*runtime, pixels, about); };
  runner.classes = about.spec.classes;
  runner.format = about.format;
  runner.width = about.spec.width;
  runner.height = about.spec.height;
  runner.any_size = about.any_size;
  runner.hash = sha256(std::as_bytes(std::span(bytes)));
  runner.file_bytes = static_cast<std::int64_t>(fs::file_size(file));
  for (const char* weights : {".caffemodel", ".bin"}) {  // some formats keep their weights apart
    const fs::path beside = fs::path(file).replace_extension(weights);
    if (fs::exists(beside)) runner.file_bytes += static_cast<std::int64_t>(fs::file_size(beside));
  }
  return runner;
}

}  // namespace conclave
