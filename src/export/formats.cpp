#include "export/formats.h"

#include <algorithm>

#include "core/error.h"
#include "core/nearest.h"
#include "export/onnx_file.h"

namespace conclave {

const std::vector<FormatRow>& export_formats() {
  static const std::vector<FormatRow> rows = {
      {ExportFormat::kOnnx, "onnx", "model.onnx", "nothing",
       "OpenCV inside the program; onnxruntime and ONNX's checker where Python has them", true, true, true, true, true},
      {ExportFormat::kTorchScript, "torchscript", "model.pt", "nothing", "LibTorch inside the program", true, true,
       true, true, true},
      {ExportFormat::kCaffe, "caffe", "model.prototxt, model.caffemodel", "nothing", "OpenCV inside the program", false,
       false, false, false, false},
      {ExportFormat::kTensorRt, "tensorrt", "model.onnx, build_engine.sh", "trtexec, to build the engine",
       "its ONNX file as onnx; TensorRT itself has not run it", true, true, true, false, true},
      {ExportFormat::kOpenVino, "openvino", "model.xml, model.bin", "ovc (pip install openvino)", "openvino in Python",
       true, true, true, false, true},
      {ExportFormat::kNcnn, "ncnn", "model.ncnn.param, model.ncnn.bin", "pnnx (pip install pnnx)",
       "ncnn in Python (pip install ncnn)", false, false, false, false, true},
  };
  return rows;
}

const FormatRow& find_format(const std::string& name) {
  std::vector<std::string> names;
  std::string all;
  for (const FormatRow& row : export_formats()) {
    if (row.name == name) return row;
    names.push_back(row.name);
    all += (all.empty() ? "" : ", ") + row.name;
  }
  const auto near = nearest(name, names);
  throw Error("there is no format '" + name + "'" + (near ? "; did you mean '" + *near + "'?" : ""), "--format",
              "known are " + all, Exit::kUsage);
}

void check_export(const ExportOptions& options) {
  const auto row = std::find_if(export_formats().begin(), export_formats().end(),
                                [&](const FormatRow& other) { return other.format == options.format; });
  const auto refuse = [&](const std::string& what, const std::string& hint) {
    throw Error(row->name + " can't have " + what, "--format " + row->name, hint, Exit::kUsage);
  };
  const GraphOptions& graph = options.graph;
  if (options.dynamic_batch && !row->dynamic_batch) refuse("a dynamic batch", "leave --dynamic-batch out");
  if (options.dynamic_size && !row->dynamic_size) refuse("a dynamic size", "export once per --size");
  if (graph.outputs == GraphOutputs::kBoxes && !row->boxes) {
    refuse("boxes in the graph", "--outputs peaks, and decode as the written example does");
  }
  if (graph.exact_peaks && !row->exact_peaks) {
    refuse("peaks by comparison", "leave --exact-peaks out: arithmetic gives the same peaks");
  }
  if (graph.half && !row->half) refuse("float16", "leave --fp16 out");
  if (options.format == ExportFormat::kNcnn && graph.batch != 1) refuse("a batch", "ncnn takes one image at a time");
  for (const int side : {graph.width, graph.height}) {
    if (side < 32 || side > 8192 || side % 32 != 0) {
      throw Error(
          "an input of " + std::to_string(graph.width) + "x" + std::to_string(graph.height) + " is not possible",
          "--size", "both sides are multiples of 32 up to 8192", Exit::kUsage);
    }
  }
  if (options.opset < kOldestOpset || options.opset > kNewestOpset) {
    throw Error("opset " + std::to_string(options.opset) + " is not known", "--opset", "from 13 to 17", Exit::kUsage);
  }
}

}  // namespace conclave
