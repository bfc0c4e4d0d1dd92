#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/utils.h>
#include <torch/version.h>

#include "core/error.h"
#include "export/runtime.h"

namespace conclave {
namespace {

class TorchScriptRuntime : public Runtime {
 public:
  TorchScriptRuntime(const torch::jit::Module& module, const std::string& where) : module_(module), where_(where) {}

  std::string name() const override { return "LibTorch " TORCH_VERSION; }

  std::vector<at::Tensor> run(const at::Tensor& images, int batch) override {
    const torch::NoGradGuard no_grad;
    std::vector<std::vector<at::Tensor>> parts;
    for (const at::Tensor& part : images.split(batch)) {
      const std::vector<at::Tensor> outputs = tensors_of(part);
      parts.resize(outputs.size());
      for (std::size_t i = 0; i < outputs.size(); ++i) parts[i].push_back(outputs[i]);
    }
    std::vector<at::Tensor> joined;
    for (const std::vector<at::Tensor>& part : parts) joined.push_back(at::cat(part));
    return joined;
  }

 private:
  std::vector<at::Tensor> tensors_of(const at::Tensor& images) {
    std::vector<at::Tensor> tensors;
    try {
      const c10::IValue answer = module_.forward({images});
      if (!answer.isTuple()) throw Error("gives no tuple of outputs", where_);
      for (const c10::IValue& output : answer.toTupleRef().elements()) tensors.push_back(output.toTensor());
    } catch (const c10::Error& error) {
      throw Error(std::string("LibTorch can't run it: ") + error.what_without_backtrace(), where_);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      throw Error(std::string("LibTorch can't run it: ") + error.what(), where_);
    }
    return tensors;
  }

  torch::jit::Module module_;
  const std::string where_;
};

}  // namespace

std::unique_ptr<Runtime> make_torchscript_runtime(const torch::jit::Module& module, const std::string& where) {
  return std::make_unique<TorchScriptRuntime>(module, where);
}

}  // namespace conclave
