#include <ATen/ATen.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/utils.h>
#include <torch/version.h>

#include "core/error.h"
#include "export/runtime.h"

namespace conclave {
namespace {

class TorchScriptRuntime : public Runtime {
 public:
  explicit TorchScriptRuntime(const std::filesystem::path& file) : module_(torch::jit::load(file.string())) {}

  std::string name() const override { return "LibTorch " TORCH_VERSION; }

  std::vector<at::Tensor> run(const at::Tensor& images, int batch) override {
    const torch::NoGradGuard no_grad;
    std::vector<std::vector<at::Tensor>> parts;
    for (const at::Tensor& part : images.split(batch)) {
      const auto outputs = module_.forward({part}).toTupleRef().elements();
      parts.resize(outputs.size());
      for (std::size_t i = 0; i < outputs.size(); ++i) parts[i].push_back(outputs[i].toTensor());
    }
    std::vector<at::Tensor> joined;
    for (const std::vector<at::Tensor>& part : parts) joined.push_back(at::cat(part));
    return joined;
  }

 private:
  torch::jit::Module module_;
};

}  // namespace

std::unique_ptr<Runtime> make_torchscript_runtime(const std::filesystem::path& file) {
  return std::make_unique<TorchScriptRuntime>(file);
}

}  // namespace conclave
