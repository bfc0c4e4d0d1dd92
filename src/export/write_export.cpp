#include "export/write_export.h"

#include <torch/csrc/jit/serialization/import.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/file.h"
#include "export/agreement.h"
#include "export/caffe_file.h"
#include "export/onnx_file.h"
#include "export/outside_program.h"
#include "export/templates.h"
#include "export/torchscript_file.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

const char* name_of(GraphInput input) {
  return input == GraphInput::kNormalised ? "normalised" : input == GraphInput::kRgb ? "rgb" : "bgr";
}

// uint8 where the format has it; the others take the same pixels as floats.
bool takes_bytes(const ExportOptions& options) {
  const bool has_bytes = options.format != ExportFormat::kCaffe && options.format != ExportFormat::kNcnn;
  return options.graph.input != GraphInput::kNormalised && has_bytes;
}

// onnxruntime, OpenVINO and TensorRT convert a uint8 input; pnnx reads a float graph.
std::string onnx_text(const Graph& graph, const ModelSpec& spec, const ExportSource& source,
                      const ExportOptions& options) {
  OnnxOptions onnx;
  onnx.opset = options.opset;
  onnx.dynamic_batch = options.dynamic_batch;
  onnx.dynamic_size = options.dynamic_size;
  onnx.byte_pixels = takes_bytes(options);
  const nlohmann::ordered_json about = describe_export(spec, source, options);
  for (const auto& [key, value] : about.items()) {
    onnx.metadata[key] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  return onnx_file(graph, onnx);
}

// A converter beside the Python that was named (a virtual environment's bin/), or from PATH.
std::string converter(const std::string& name, const std::string& python) {
  const fs::path beside = fs::path(python).parent_path() / name;
  return python.find('/') != std::string::npos && fs::exists(beside) ? beside.string() : name;
}

void convert(const std::vector<std::string>& command, const std::string& package, const fs::path& folder) {
  const ProgramEnd end = run_program(command, folder);
  if (!end.found) {
    throw Error("there is no " + fs::path(command[0]).filename().string() + " on this machine", "export",
                "pip install " + package + "; --python names the Python that has it");
  }
  if (end.code != 0) throw Error(command[0] + " failed:\n" + end.said, "export");
}

void write_openvino(const std::string& onnx, const ExportOptions& options, const std::string& python,
                    const fs::path& folder) {
  write_file_atomically(folder / "model.onnx", onnx);
  convert({converter("ovc", python), "model.onnx", "--output_model", "model.xml",
           std::string("--compress_to_fp16=") + (options.graph.half ? "True" : "False")},
          "openvino", folder);
  fs::remove(folder / "model.onnx");
}

// pnnx leaves many files; two are ncnn's.
void write_ncnn(const std::string& onnx, const ExportOptions& options, const std::string& python,
                const fs::path& folder) {
  const fs::path work = folder / "work";
  fs::create_directory(work);
  write_file_atomically(work / "model.onnx", onnx);
  std::ostringstream shape;
  shape << "inputshape=[1,3," << options.graph.height << ',' << options.graph.width << ']';
  convert(
      {converter("pnnx", python), "model.onnx", shape.str(), std::string("fp16=") + (options.graph.half ? "1" : "0")},
      "pnnx", work);
  for (const char* name : {"model.ncnn.param", "model.ncnn.bin"}) {
    if (!fs::exists(work / name)) throw Error("pnnx wrote no " + std::string(name), "export");
    fs::rename(work / name, folder / name);
  }
  fs::remove_all(work);
}

std::string shape_text(int batch, int width, int height) {
  return "images:" + std::to_string(batch) + "x3x" + std::to_string(height) + "x" + std::to_string(width);
}

void write_trtexec(const ExportOptions& options, const fs::path& folder) {
  const GraphOptions& graph = options.graph;
  std::string shapes;
  if (options.dynamic_batch || options.dynamic_size) {
    const int largest = options.dynamic_batch ? std::max(8, graph.batch) : graph.batch;
    const int smallest = options.dynamic_batch ? 1 : graph.batch;
    const auto half = [&](int side) { return options.dynamic_size ? std::max(32, side / 64 * 32) : side; };
    const int twice = options.dynamic_size ? 2 : 1;
    shapes = " \\\n  --minShapes=" + shape_text(smallest, half(graph.width), half(graph.height)) +
             " \\\n  --optShapes=" + shape_text(graph.batch, graph.width, graph.height) +
             " \\\n  --maxShapes=" + shape_text(largest, twice * graph.width, twice * graph.height);
  }
  const fs::path script = folder / "build_engine.sh";
  write_file_atomically(script, filled_template("build_engine.sh", {{"SHAPES", shapes},
                                                                    {"PRECISION", graph.half ? " \\\n  --fp16" : ""}}));
  fs::permissions(script, fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec,
                  fs::perm_options::add);
}

std::string numbers(const std::array<float, 3>& values) {
  std::ostringstream text;
  text.precision(9);
  text << values[0] << ", " << values[1] << ", " << values[2];
  return text.str();
}

// A C++ string literal.
std::string quoted(const std::string& text) {
  std::string literal = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') literal += '\\';
    literal += c;
  }
  return literal + "\"";
}

void write_cpp_example(const ModelSpec& spec, const ExportSource& source, const ExportOptions& options,
                       const std::string& load, const fs::path& folder) {
  std::string classes, thresholds;
  for (const std::string& name : spec.classes) {
    const std::string comma = classes.empty() ? "" : ", ";
    classes += comma + quoted(name);
    const auto own = source.thresholds.find(name);
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", own == source.thresholds.end() ? 0.3 : own->second);
    thresholds += comma + text;
  }
  const GraphOptions& graph = options.graph;
  write_file_atomically(folder / "example.cpp",
                        filled_template("example.cpp.in", {{"LOAD", load},
                                                           {"CLASSES", classes},
                                                           {"THRESHOLDS", thresholds},
                                                           {"WIDTH", std::to_string(graph.width)},
                                                           {"HEIGHT", std::to_string(graph.height)},
                                                           {"MEAN", numbers(spec.mean)},
                                                           {"STD", numbers(spec.std)},
                                                           {"INPUT", name_of(graph.input)},
                                                           {"FIRST", output_names(graph.outputs)[0]}}));
}

struct PythonLoad {
  const char *file, *packages, *code;
};

// How Python loads a format; `run` takes the input array (1,3,H,W) and gives the outputs in their order.
PythonLoad python_load(ExportFormat format) {
  switch (format) {
    case ExportFormat::kOnnx:
    case ExportFormat::kTensorRt:
      return {"model.onnx", "onnxruntime",
              "import onnxruntime\n\nsession = onnxruntime.InferenceSession(str(HERE / \"model.onnx\"), "
              "providers=[\"CPUExecutionProvider\"])\n\n\ndef run(array):\n    return session.run(None, {\"images\": "
              "array})\n"};
    case ExportFormat::kTorchScript:
      return {"model.pt", "torch",
              "import torch\n\nmodule = torch.jit.load(str(HERE / \"model.pt\"))\n\n\ndef run(array):\n    with "
              "torch.no_grad():\n        return [output.numpy() for output in module(torch.from_numpy(array))]\n"};
    case ExportFormat::kOpenVino:
      return {
          "model.xml", "openvino",
          "import openvino\n\n# Without the hint OpenVINO computes in bfloat16 where the processor can.\nmodel = "
          "openvino.Core().compile_model(str(HERE / \"model.xml\"), \"CPU\",\n                                      "
          "{\"INFERENCE_PRECISION_HINT\": \"f32\"})\n\n\ndef run(array):\n    result = model([array])\n    return "
          "[result[name] for name in ABOUT[\"outputs\"]]\n"};
    case ExportFormat::kNcnn:
      return {"model.ncnn.param", "ncnn",
              "import ncnn\n\nnet = ncnn.Net()\nnet.load_param(str(HERE / \"model.ncnn.param\"))\n"
              "net.load_model(str(HERE / \"model.ncnn.bin\"))\n\n\ndef run(array):\n    extractor = "
              "net.create_extractor()\n    extractor.input(\"in0\", ncnn.Mat(array[0]).clone())\n    return "
              "[np.array(extractor.extract(f\"out{i}\")[1])[None] for i in range(3)]\n"};
    case ExportFormat::kCaffe:
      break;
  }
  return {};
}

void write_examples(const ModelSpec& spec, const ExportSource& source, const ExportOptions& options,
                    const fs::path& folder) {
  const PythonLoad python = python_load(options.format);
  if (python.code != nullptr) {
    write_file_atomically(
        folder / "example.py",
        filled_template("example.py", {{"FILE", python.file}, {"PACKAGES", python.packages}, {"LOAD", python.code}}));
  }
  if (options.format == ExportFormat::kCaffe) {
    write_cpp_example(spec, source, options,
                      "readNetFromCaffe(folder + \"model.prototxt\", folder + \"model.caffemodel\")", folder);
  } else if (options.format == ExportFormat::kOnnx && opencv_reads(options)) {
    write_cpp_example(spec, source, options, "readNetFromONNX(folder + \"model.onnx\")", folder);
  }
}

}  // namespace

bool opencv_reads(const ExportOptions& options) {
  const GraphOptions& graph = options.graph;
  if (options.format == ExportFormat::kCaffe) return true;
  return (options.format == ExportFormat::kOnnx || options.format == ExportFormat::kTensorRt) &&
         graph.outputs != GraphOutputs::kBoxes && !graph.exact_peaks && !graph.half;
}

nlohmann::ordered_json describe_export(const ModelSpec& spec, const ExportSource& source,
                                       const ExportOptions& options) {
  const GraphOptions& graph = options.graph;
  std::string format;
  for (const FormatRow& row : export_formats()) {
    if (row.format == options.format) format = row.name;
  }
  nlohmann::ordered_json about = {
      {"format", format},
      {"weights", source.file},
      {"sha256", source.sha256},
      {"classes", spec.classes},
      {"width", graph.width},
      {"height", graph.height},
      {"batch", graph.batch},
      {"dynamic_batch", options.dynamic_batch || options.format == ExportFormat::kTorchScript},
      {"dynamic_size", options.dynamic_size || options.format == ExportFormat::kTorchScript},
      {"input", name_of(graph.input)},
      {"input_type", takes_bytes(options) ? "uint8" : "float32"},
      {"mean", spec.mean},
      {"std", spec.std},
      {"outputs", output_names(graph.outputs)},
      {"stride", kStride},
      {"peaks", graph.outputs == GraphOutputs::kHeads ? "none"
                : graph.exact_peaks                   ? "comparison"
                                                      : "arithmetic"},
      {"fp16", graph.half},
  };
  if (graph.outputs == GraphOutputs::kBoxes) about["top_k"] = graph.top_k;
  if (!source.thresholds.empty()) about["thresholds"] = source.thresholds;
  return about;
}

void write_export(Detector& model, const ExportSource& source, const ExportOptions& options, const std::string& python,
                  const std::filesystem::path& folder) {
  check_export(options);
  const ModelSpec& spec = model.spec();
  // TensorRT, OpenVINO and ncnn make their own float16 of a float32 file.
  GraphOptions wanted = options.graph;
  wanted.half =
      options.graph.half && (options.format == ExportFormat::kOnnx || options.format == ExportFormat::kTorchScript);
  const Graph graph = build_graph(model, wanted);
  switch (options.format) {
    case ExportFormat::kOnnx:
      write_file_atomically(folder / "model.onnx", onnx_text(graph, spec, source, options));
      break;
    case ExportFormat::kTensorRt:
      write_file_atomically(folder / "model.onnx", onnx_text(graph, spec, source, options));
      write_trtexec(options, folder);
      break;
    case ExportFormat::kTorchScript:
      write_torchscript(folder / "model.pt", graph, {{"model.json", describe_export(spec, source, options).dump(2)}});
      break;
    case ExportFormat::kCaffe: {
      const CaffeFiles files = caffe_files(graph);
      write_file_atomically(folder / "model.prototxt", files.prototxt);
      write_file_atomically(folder / "model.caffemodel", files.caffemodel);
      break;
    }
    case ExportFormat::kOpenVino:
      write_openvino(onnx_text(graph, spec, source, options), options, python, folder);
      break;
    case ExportFormat::kNcnn:
      write_ncnn(onnx_text(graph, spec, source, options), options, python, folder);
      break;
  }
  write_examples(spec, source, options, folder);
}

std::vector<std::unique_ptr<Runtime>> runtimes_of(const ExportOptions& options, const std::string& python,
                                                  const std::filesystem::path& folder,
                                                  std::vector<std::string>& skipped) {
  const std::vector<std::string> outputs = output_names(options.graph.outputs);
  std::vector<std::unique_ptr<Runtime>> runtimes;
  if (options.format == ExportFormat::kTorchScript) {
    const std::string file = (folder / "model.pt").string();
    runtimes.push_back(make_torchscript_runtime(torch::jit::load(file), file));
    return runtimes;
  }
  const bool caffe = options.format == ExportFormat::kCaffe;
  if (opencv_reads(options)) {
    auto opencv = make_opencv_runtime(read_network(folder / (caffe ? "model.prototxt" : "model.onnx")), outputs);
    if (opencv == nullptr) {
      skipped.push_back("OpenCV: this build has no dnn module (CONCLAVE_DNN)");
    } else {
      runtimes.push_back(std::move(opencv));
    }
  }
  if (caffe) return runtimes;
  const char* runtime = "onnxruntime";
  fs::path file = folder / "model.onnx";
  if (options.format == ExportFormat::kOpenVino) {
    runtime = "openvino";
    file = folder / "model.xml";
  } else if (options.format == ExportFormat::kNcnn) {
    runtime = "ncnn";
    file = folder / "model.ncnn.param";
  }
  std::string why;
  auto found = make_python_runtime(runtime, read_network(file), outputs, python, why);
  if (found == nullptr) {
    skipped.push_back(std::string(runtime) + ": " + why);
  } else {
    runtimes.push_back(std::move(found));
  }
  return runtimes;
}

}  // namespace conclave
