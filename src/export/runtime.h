#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace torch::jit {
struct Module;
}

namespace conclave {

// A network's file, read once, so that the bytes that were checked are those that run.
struct NetworkBytes {
  std::filesystem::path file;
  std::string network;
  std::string weights;  // of the file beside it, in formats that keep them apart; else empty
};
NetworkBytes read_network(const std::filesystem::path& file);

// Something that runs an exported file: what it says is compared with the source.
class Runtime {
 public:
  virtual ~Runtime() = default;

  // "OpenCV 4.6.0".
  virtual std::string name() const = 0;

  // images: (N,3,H,W) float32 or uint8, as the graph takes them; N a multiple of `batch`, of which each call of the
  // network gets that many. The outputs in the graph's order, (N,...) float32 or int64. Throws Error.
  virtual std::vector<at::Tensor> run(const at::Tensor& images, int batch) = 0;
};

// A TorchScript module, in LibTorch. `where`: its file.
std::unique_ptr<Runtime> make_torchscript_runtime(const torch::jit::Module& module, const std::string& where);

// An ONNX file, or a prototxt with its caffemodel, in OpenCV's dnn module. null: this build has none.
std::unique_ptr<Runtime> make_opencv_runtime(const NetworkBytes& network, const std::vector<std::string>& outputs);

// A file in a runtime that Python has: "onnxruntime" (which also runs ONNX's checker), "openvino" or "ncnn", in a
// process of its own. null: this Python (a path, or a name in PATH) lacks it; `why` says what.
std::unique_ptr<Runtime> make_python_runtime(const std::string& runtime, const NetworkBytes& network,
                                             const std::vector<std::string>& outputs, const std::string& python,
                                             std::string& why);

}  // namespace conclave
