#include "export/trace.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/utils.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "core/error.h"
#include "models/deformable_conv.h"

namespace conclave {
namespace {

namespace jit = torch::jit;

// The tracer takes dots in a name for modules within modules; here all parameters are one module's.
std::string without_dots(std::string name) {
  std::replace(name.begin(), name.end(), '.', '/');
  return name;
}
std::string with_dots(std::string name) {
  std::replace(name.begin(), name.end(), '/', '.');
  return name;
}

std::vector<std::int64_t> shape_of(const jit::Value* value) {
  const auto type = value->type()->cast<c10::TensorType>();
  if (!type || !type->sizes().concrete_sizes()) throw Error("the tracer did not record a shape", value->debugName());
  return *type->sizes().concrete_sizes();
}

// Reads a traced graph node by node.
class Reader {
 public:
  explicit Reader(const jit::Module& parameters) : parameters_(parameters) {}

  Graph read(const jit::Graph& traced, const std::vector<std::string>& outputs) {
    const jit::Value* images = traced.inputs().at(1);  // the first is the module
    graph_.input = values_[images] = graph_.add_value("images", shape_of(images));
    for (const jit::Node* node : traced.nodes()) read(*node);
    const jit::Value* result = traced.outputs().at(0);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const ValueId value = value_of(result->node()->inputs().at(i));
      graph_.values[value].name = outputs[i];
      graph_.outputs.push_back(value);
    }
    return std::move(graph_);
  }

 private:
  void read(const jit::Node& node) {
    using Lowering = void (Reader::*)(const jit::Node&);
    static const std::map<std::string, Lowering> lowerings = {
        {"prim::GetAttr", &Reader::parameter},
        {"prim::Constant", &Reader::nothing},
        {"prim::ListConstruct", &Reader::nothing},
        {"prim::TupleConstruct", &Reader::nothing},
        {"aten::_convolution", &Reader::convolution},
        {"aten::batch_norm", &Reader::batch_norm},
        {"aten::relu", &Reader::relu},
        {"aten::add", &Reader::add},
        {"aten::max_pool2d", &Reader::max_pool},
    };
    const auto found = lowerings.find(node.kind().toQualString());
    if (found == lowerings.end()) {
      throw Error(std::string("the operator ") + node.kind().toQualString() + " can't be exported", place(node),
                  "src/export/graph.h lists the operators that can; write one there and a lowering per format");
    }
    (this->*found->second)(node);
  }

  void nothing(const jit::Node&) {}

  void parameter(const jit::Node& node) {
    const std::string name = node.s(c10::attr::name);
    names_[node.output()] = with_dots(name);
    tensors_[node.output()] = parameters_.attr(name).toTensor();
  }

  void convolution(const jit::Node& node) {
    Convolution op;
    op.weight = tensor(node, 1);
    op.bias = tensor(node, 2);
    op.stride = pair(node, 3);
    op.padding = pair(node, 4);
    op.dilation = pair(node, 5);
    op.transposed = constant(node, 6).toBool();
    op.output_padding = pair(node, 7);
    op.groups = constant(node, 8).toInt();
    append(node, owner(node, 1), std::move(op), 1);
  }

  void batch_norm(const jit::Node& node) {
    if (constant(node, 5).toBool()) throw Error("batch normalisation was traced in training mode", owner(node, 1));
    BatchNorm op{tensor(node, 1), tensor(node, 2), tensor(node, 3), tensor(node, 4), constant(node, 7).toDouble()};
    append(node, owner(node, 1), std::move(op), 1);
  }

  void relu(const jit::Node& node) { append(node, place(node) + ".relu", Relu{}, 1); }

  void add(const jit::Node& node) {
    if (constant(node, 2).toScalar().toDouble() != 1) throw Error("add with a factor can't be exported", place(node));
    if (shape_of(node.input(0)) != shape_of(node.input(1))) {
      throw Error("add of unequal shapes can't be exported", place(node));
    }
    append(node, place(node) + ".add", Add{}, 2);
  }

  void max_pool(const jit::Node& node) {
    MaxPool op{pair(node, 1), pair(node, 2), pair(node, 3)};
    if (pair(node, 4) != Pair{1, 1} || constant(node, 5).toBool()) {
      throw Error("max pooling with dilation or ceil mode can't be exported", place(node));
    }
    append(node, place(node) + ".maxpool", op, 1);
  }

  void append(const jit::Node& node, std::string layer, Operator op, std::size_t inputs) {
    const std::string wanted = layer;
    for (int i = 2; !layers_.insert(layer).second; ++i) layer = wanted + "." + std::to_string(i);
    std::vector<ValueId> ids;
    for (std::size_t i = 0; i < inputs; ++i) ids.push_back(value_of(node.input(i)));
    values_[node.output()] = graph_.append(layer, std::move(op), std::move(ids), shape_of(node.output()));
  }

  ValueId value_of(const jit::Value* value) const {
    const auto found = values_.find(value);
    if (found == values_.end()) {
      throw Error("a value that does not depend on the image can't be exported", value->debugName());
    }
    return found->second;
  }

  // The layer that a node without parameters follows: "after backbone.layer1.0.bn2" reads as a place.
  std::string place(const jit::Node& node) const {
    for (const jit::Value* input : node.inputs()) {
      const auto found = values_.find(input);
      if (found != values_.end()) return graph_.values[found->second].name;
    }
    return node.outputs().empty() ? "the graph" : node.output(0)->debugName();
  }

  std::string owner(const jit::Node& node, std::size_t parameter) const {
    const auto found = names_.find(node.input(parameter));
    if (found == names_.end()) return place(node) + "." + node.kind().toUnqualString();
    return found->second.substr(0, found->second.rfind('.'));
  }

  // Undefined for None.
  at::Tensor tensor(const jit::Node& node, std::size_t at) const {
    const auto found = tensors_.find(node.input(at));
    if (found != tensors_.end()) return found->second;
    const c10::IValue value = constant(node, at);
    return value.isNone() ? at::Tensor() : value.toTensor();
  }

  static c10::IValue constant(const jit::Node& node, std::size_t at) {
    const auto value = jit::toIValue(node.input(at));
    if (!value) throw Error(std::string("an argument of ") + node.kind().toQualString() + " is not constant");
    return *value;
  }

  static Pair pair(const jit::Node& node, std::size_t at) {
    const jit::Node* list = node.input(at)->node();
    if (list->kind() != c10::prim::ListConstruct) {
      const auto values = constant(node, at).toIntVector();
      return {values.at(0), values.at(values.size() - 1)};
    }
    const std::size_t last = list->inputs().size() - 1;
    return {constant(*list, 0).toInt(), constant(*list, last).toInt()};
  }

  const jit::Module& parameters_;
  Graph graph_;
  std::set<std::string> layers_;
  std::map<const jit::Value*, ValueId> values_;
  std::map<const jit::Value*, at::Tensor> tensors_;
  std::map<const jit::Value*, std::string> names_;
};

}  // namespace

Graph trace(const torch::nn::Module& module, const TracedForward& forward, const std::vector<std::string>& outputs,
            int width, int height) {
  const torch::NoGradGuard no_grad;
  jit::Module parameters("traced");
  // The tracer knows tensors by identity: these are the ones that the modules compute with.
  for (const auto& item : module.named_parameters()) {
    parameters.register_parameter(without_dots(item.key()), item.value(), false);
  }
  for (const auto& item : module.named_buffers()) {
    parameters.register_parameter(without_dots(item.key()), item.value(), true);
  }

  const at::Tensor images = at::zeros({1, 3, height, width});
  const auto run = [&](jit::Stack inputs) -> jit::Stack {
    std::vector<c10::IValue> results;
    for (const at::Tensor& output : forward(inputs.at(0).toTensor())) results.emplace_back(output);
    return {c10::ivalue::Tuple::create(std::move(results))};
  };
  const auto traced = jit::tracer::trace(
      {images}, run, [](const at::Tensor&) { return std::string(); },
      /*strict=*/true, /*force_outplace=*/true, &parameters);
  return Reader(parameters).read(*traced.first->graph, outputs);
}

Graph trace_detector(Detector& model, int width, int height) {
  for (const auto& module : model.named_modules()) {
    if (dynamic_cast<const DeformableConv*>(module.value().get()) != nullptr) {
      throw Error("is a deformable convolution, which none of these formats has in the versions that are written",
                  "layer " + module.key(), "train a student with model.neck: deconv to ship it");
    }
  }
  const bool training = model.is_training();
  const auto back = [training](Detector* detector) { detector->train(training); };
  const std::unique_ptr<Detector, decltype(back)> restored(&model, back);
  model.eval();
  const auto forward = [&](const at::Tensor& images) {
    const HeadOutputs heads = model.forward(images);
    return std::vector<at::Tensor>{heads.heat, heads.wh, heads.offset};
  };
  return trace(model, forward, {"heat", "wh", "offset"}, width, height);
}

}  // namespace conclave
