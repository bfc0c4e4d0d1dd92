#include "teachers/torchscript_net.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/library.h>
#include <torch/script.h>

#include <set>
#include <sstream>
#include <string_view>

#include "core/error.h"
#include "teachers/bf16_guard.h"
#include "teachers/torchscript_archive.h"

namespace conclave {
namespace {

// The few lines of a LibTorch message that say what is wrong.
std::string brief(const std::exception& error) {
  const auto* own = dynamic_cast<const c10::Error*>(&error);
  std::istringstream lines(own != nullptr ? own->what_without_backtrace() : error.what());
  std::string text, line;
  while (text.size() < 400 && std::getline(lines, line)) {
    const std::size_t begin = line.find_first_not_of(" \t~^");
    if (begin == std::string::npos || line.starts_with("Traceback") || line.starts_with("The above operation"))
      continue;
    text += (text.empty() ? "" : " ") + line.substr(begin);
  }
  return text.substr(0, 500);
}

// Operators of these computing libraries alone.
bool computes(const c10::Symbol& kind) {
  static const std::set<std::string_view> spaces = {"aten", "prim", "quantized", "prepacked", "mkldnn", "onednn"};
  static const std::set<std::string_view> others = {"aten::save",      "aten::load",      "aten::from_file",
                                                    "prim::PythonOp",  "prim::rpc_async", "prim::rpc_sync",
                                                    "prim::rpc_remote"};
  const std::string name = kind.toQualString();
  if (name == "torchvision::nms") return true;
  return spaces.contains(std::string_view(name).substr(0, name.find(':'))) && !others.contains(name);
}

void check_block(const torch::jit::Block& block, const std::string& function, const std::string& where) {
  for (const torch::jit::Node* node : block.nodes()) {
    if (!computes(node->kind())) {
      throw Error("its function " + function.substr(0, 200) + " calls " + node->kind().toQualString() +
                      ", which touches files or other processes, or is not PyTorch's",
                  where, "a teacher computes and does nothing else; trace the model without this call");
    }
    for (const torch::jit::Block* inner : node->blocks()) check_block(*inner, function, where);
    for (const c10::Symbol name : node->attributeNames()) {
      if (node->kindOf(name) == torch::jit::AttributeKind::g) check_block(*node->g(name)->block(), function, where);
      if (node->kindOf(name) != torch::jit::AttributeKind::gs) continue;
      for (const auto& graph : node->gs(name)) check_block(*graph->block(), function, where);
    }
  }
}

class TorchScriptNet final : public RawNet {
 public:
  TorchScriptNet(const std::string& bytes, const std::string& where, const EngineOptions& options)
      : where_(where), options_(options), device_(at::kCPU) {
    try {
      device_ = c10::Device(options_.device);
    } catch (const std::exception& error) {
      throw Error("can't compute on device '" + options_.device + "'", where_, "use cpu, cuda or cuda:N");
    }
    module_ = load_torchscript(bytes, where_, device_);
    module_.eval();
    const auto forward = module_.find_method("forward");
    if (!forward) throw Error("it has no method `forward`", where_, "trace the model, not a function of it");
    const auto& arguments = forward->function().getSchema().arguments();
    std::size_t needed = 0;
    for (std::size_t i = 1; i < arguments.size(); ++i) needed += arguments[i].default_value() ? 0 : 1;
    if (arguments.size() < 2 || needed > 1)
      throw Error("its forward takes " + std::to_string(arguments.size() - 1) + " arguments", where_,
                  "it must take one: the images");
    const auto list = arguments[1].type()->cast<c10::ListType>();
    takes_list_ = list != nullptr;
    if (!takes_list_ && arguments[1].type()->kind() != c10::TypeKind::TensorType)
      throw Error("its forward takes a " + arguments[1].type()->annotation_str(), where_, "it must take images");
  }

  std::vector<RawOutput> run(const at::Tensor& images) override {
    const Bf16Guard autocast(device_.type(), options_.bf16);
    // Without optimization every run does the same, the first ones too.
    const torch::jit::GraphOptimizerEnabledGuard plain(false);
    at::Tensor on_device = images.to(device_);
    if (options_.channels_last) on_device = on_device.contiguous(at::MemoryFormat::ChannelsLast);
    c10::IValue input = on_device;
    if (takes_list_) {
      c10::List<at::Tensor> each;
      for (const at::Tensor& image : on_device.unbind(0)) each.push_back(image);
      input = each;
    }
    std::vector<RawOutput> outputs;
    try {
      flatten(module_.forward({input}), "", 0, outputs);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      throw Error("LibTorch can't run it on images of " + std::to_string(images.size(3)) + " x " +
                      std::to_string(images.size(2)) + ": " + brief(error),
                  where_, "set format.input to the size that it was traced with");
    }
    return outputs;
  }

 private:
  void flatten(const c10::IValue& value, const std::string& name, int depth, std::vector<RawOutput>& outputs) const {
    constexpr int kDeepest = 8;
    constexpr std::size_t kMost = 64;
    if (depth > kDeepest || outputs.size() > kMost) throw Error("it returns too deep or too many values", where_);
    if (value.isTensor()) {
      const at::Tensor& tensor = value.toTensor();
      if (!tensor.defined()) return;
      outputs.push_back({name, tensor.to(at::kCPU, at::kFloat).contiguous()});
    } else if (value.isTuple()) {
      for (const c10::IValue& element : value.toTupleRef().elements()) flatten(element, name, depth + 1, outputs);
    } else if (value.isTensorList() || value.isList()) {
      for (const c10::IValue& element : value.toListRef()) flatten(element, name, depth + 1, outputs);
    } else if (value.isGenericDict()) {
      for (const auto& entry : value.toGenericDict()) {
        flatten(entry.value(), entry.key().isString() ? entry.key().toStringRef() : name, depth + 1, outputs);
      }
    }  // anything else is no output
  }

  const std::string where_;
  const EngineOptions options_;
  c10::Device device_;
  torch::jit::Module module_;
  bool takes_list_ = false;
};

// torchvision's non-maximum suppression, which its detectors and many exports call: indices of the boxes (N,4) that no
// better one overlaps by more than `iou_threshold`, by falling score.
at::Tensor nms(const at::Tensor& boxes, const at::Tensor& scores, double iou_threshold) {
  TORCH_CHECK(boxes.dim() == 2 && boxes.size(1) == 4 && scores.dim() == 1 && scores.size(0) == boxes.size(0),
              "nms takes boxes (N,4) and scores (N,)");
  const at::Tensor box = boxes.to(at::kCPU, at::kFloat).contiguous();
  const at::Tensor order = std::get<1>(scores.to(at::kCPU, at::kFloat).sort(/*stable=*/true, 0, /*descending=*/true));
  const float* b = box.const_data_ptr<float>();
  const std::int64_t* by_score = order.const_data_ptr<std::int64_t>();
  const auto area = [&](const float* r) { return (r[2] - r[0]) * (r[3] - r[1]); };
  std::vector<std::int64_t> kept;
  for (std::int64_t i = 0; i < order.size(0); ++i) {
    const float* own = b + 4 * by_score[i];
    bool covered = false;
    for (std::size_t k = 0; k < kept.size() && !covered; ++k) {
      const float* other = b + 4 * kept[k];
      const float w = std::max(0.0f, std::min(own[2], other[2]) - std::max(own[0], other[0]));
      const float h = std::max(0.0f, std::min(own[3], other[3]) - std::max(own[1], other[1]));
      covered = w * h / (area(own) + area(other) - w * h) > iou_threshold;
    }
    if (!covered) kept.push_back(by_score[i]);
  }
  return at::tensor(kept, at::kLong).to(boxes.device());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(torchvision, library) {
  library.def("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor", &nms);
}

torch::jit::Module load_torchscript(const std::string& bytes, const std::string& where, c10::Device device) {
  check_torchscript_archive(bytes, where);
  try {
    std::istringstream stream(bytes);
    torch::jit::Module module = torch::jit::load(stream, device);
    // One compilation unit has the methods of every class and the functions beside them.
    for (torch::jit::Function* function : module._ivalue()->compilation_unit()->get_functions()) {
      if (torch::jit::GraphFunction* graph = torch::jit::tryToGraphFunction(*function)) {
        check_block(*graph->graph()->block(), graph->qualname().qualifiedName(), where);
      }
    }
    return module;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error("LibTorch can't load it: " + brief(error), where,
                "an operator that is not PyTorch's own must be replaced before the model is traced; it must be "
                "saved by PyTorch 2.11 or older");
  }
}

std::unique_ptr<RawNet> open_torchscript(std::string bytes, const std::string& where, const EngineOptions& options) {
  return std::make_unique<TorchScriptNet>(bytes, where, options);
}

}  // namespace conclave
