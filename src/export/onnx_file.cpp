#include "export/onnx_file.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "export/protobuf.h"

namespace conclave {
namespace {

// Field numbers and values of onnx.proto (github.com/onnx/onnx), by message.
namespace model_proto {
enum { kIrVersion = 1, kProducer = 2, kGraph = 7, kOpset = 8, kMetadata = 14 };
}
namespace graph_proto {
enum { kNode = 1, kName = 2, kInitializer = 5, kInput = 11, kOutput = 12 };
}
namespace node_proto {
enum { kInput = 1, kOutput = 2, kName = 3, kType = 4, kAttribute = 5 };
}
namespace attribute_proto {
enum { kName = 1, kInt = 3, kInts = 8, kType = 20 };
enum { kTypeInt = 2, kTypeInts = 7 };
}  // namespace attribute_proto
namespace tensor_proto {
enum { kDims = 1, kType = 2, kName = 8, kRaw = 9 };
enum { kFloat = 1, kUint8 = 2, kInt64 = 7, kFloat16 = 10 };
}  // namespace tensor_proto

ProtoMessage attribute(const std::string& name, std::int64_t value) {
  using namespace attribute_proto;
  return ProtoMessage().bytes(kName, name).integer(kInt, value).integer(kType, kTypeInt);
}

ProtoMessage attribute(const std::string& name, const std::vector<std::int64_t>& values) {
  using namespace attribute_proto;
  ProtoMessage message;
  message.bytes(kName, name);
  for (const std::int64_t value : values) message.integer(kInts, value);  // proto2: not packed
  return message.integer(kType, kTypeInts);
}

int type_of(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kHalf:
      return tensor_proto::kFloat16;
    case at::kLong:
      return tensor_proto::kInt64;
    default:
      return tensor_proto::kFloat;
  }
}

std::vector<std::int64_t> both_ends(const Pair& padding) {
  return {padding[0], padding[1], padding[0], padding[1]};
}

std::vector<std::int64_t> list(const Pair& pair) {
  return {pair[0], pair[1]};
}

class Writer {
 public:
  Writer(const Graph& graph, const OnnxOptions& options) : graph_(graph), options_(options) {}

  std::string write() {
    for (const Node& node : graph_.nodes) {
      layer_ = node.layer;
      std::visit([&](const auto& op) { lower(node, op); }, node.op);
    }
    proto_.bytes(graph_proto::kName, "conclave");
    const bool bytes = options_.byte_pixels;
    proto_.message(graph_proto::kInput, described(graph_.input, bytes ? tensor_proto::kUint8 : tensor_proto::kFloat));
    for (const ValueId output : graph_.outputs) {
      const bool index = graph_.values[output].name == "classes";
      proto_.message(graph_proto::kOutput, described(output, index ? tensor_proto::kInt64 : tensor_proto::kFloat));
    }
    ProtoMessage model;
    model.integer(model_proto::kIrVersion, options_.opset >= 15 ? 8 : 7).bytes(model_proto::kProducer, "conclave");
    model.message(model_proto::kGraph, proto_);
    model.message(model_proto::kOpset, ProtoMessage().bytes(1, "").integer(2, options_.opset));
    for (const auto& [key, value] : options_.metadata) {
      model.message(model_proto::kMetadata, ProtoMessage().bytes(1, key).bytes(2, value));
    }
    if (model.text().size() > kLargestProto) throw Error("an ONNX file holds at most 2 GiB", "export");
    return model.text();
  }

 private:
  using Names = std::vector<std::string>;

  void lower(const Node& node, const Convolution& op) {
    Names inputs = {in(node), constant("weight", op.weight, half(node))};
    if (op.bias.defined()) inputs.push_back(constant("bias", op.bias, half(node)));
    std::vector<ProtoMessage> attributes = {
        attribute("dilations", list(op.dilation)),
        attribute("group", op.groups),
        attribute("kernel_shape", {op.weight.size(2), op.weight.size(3)}),
        attribute("pads", both_ends(op.padding)),
        attribute("strides", list(op.stride)),
    };
    if (op.transposed) attributes.push_back(attribute("output_padding", list(op.output_padding)));
    add(op.transposed ? "ConvTranspose" : "Conv", inputs, {out(node)}, attributes);
  }

  void lower(const Node& node, const BatchNorm&) {
    throw Error("batch normalisation must be folded before the graph is written", node.layer);
  }

  void lower(const Node& node, const Relu&) { add("Relu", {in(node)}, {out(node)}); }

  void lower(const Node& node, const Add&) { add("Add", {in(node), in(node, 1)}, {out(node)}); }

  void lower(const Node& node, const MaxPool& op) { add_pool(in(node), out(node), op); }

  void lower(const Node& node, const ScaleShift& op) {
    const bool bytes = options_.byte_pixels && node.inputs.front() == graph_.input;
    const std::string x = bytes ? cast(in(node), tensor_proto::kFloat) : in(node);
    const std::string scaled = step("Mul", {x, constant("scale", op.scale.view({1, -1, 1, 1}), half(node))});
    add("Add", {scaled, constant("shift", op.shift.view({1, -1, 1, 1}), half(node))}, {out(node)});
  }

  void lower(const Node& node, const ToHalf&) {
    add("Cast", {in(node)}, {out(node)}, {attribute("to", tensor_proto::kFloat16)});
  }

  void lower(const Node& node, const ToFloat&) {
    add("Cast", {in(node)}, {out(node)}, {attribute("to", tensor_proto::kFloat)});
  }

  void lower(const Node& node, const KeepPeaks& op) {
    const std::string p = step("Sigmoid", {in(node)});
    const std::string highest = fresh();
    add_pool(p, highest, {{3, 3}, {1, 1}, {1, 1}});
    if (op.exact) {
      add("Where", {step("Equal", {p, highest}), p, number(0)}, {out(node)});
      return;
    }
    // Eltwise sums of tensors of one shape, then constants: what the simplest readers take.
    const std::string below = step("Sub", {p, highest});
    const std::string kept = step("Relu", {step("Add", {below, number(1e-9F)})});
    add("Mul", {p, step("Mul", {kept, number(1e9F)})}, {out(node)});
  }

  void lower(const Node& node, const TopBoxes& op) {
    const std::string peaks = in(node);
    const std::string shape = step("Shape", {peaks});
    const std::string width = step("Gather", {shape, integers({3})});
    const std::string plane = step("Mul", {step("Gather", {shape, integers({2})}), width});
    const std::string flat = step("Flatten", {peaks}, {attribute("axis", std::int64_t{1})});
    const std::string cells = step("Gather", {step("Shape", {flat}), integers({1})});
    const std::string index = fresh();
    const std::string scores = name(node.outputs[1]), classes = name(node.outputs[2]);
    add("TopK", {flat, step("Min", {cells, integers({op.top_k})})}, {scores, index});
    add("Div", {index, plane}, {classes});
    const std::string cell = step("Mod", {index, plane});
    const std::string place = step("Unsqueeze", {cell, integers({1})});
    const std::string both = step("Concat", {place, place}, {attribute("axis", std::int64_t{1})});
    const auto at_cells = [&](const std::string& head) {
      const std::string rows = step("Reshape", {head, integers({0, 0, -1})});
      return step("GatherElements", {rows, both}, {attribute("axis", std::int64_t{2})});
    };
    const std::string xy = step("Concat", {step("Mod", {place, width}), step("Div", {place, width})},
                                {attribute("axis", std::int64_t{1})});
    const std::string centre = step("Add", {cast(xy, tensor_proto::kFloat), at_cells(in(node, 2))});
    // Without a size per class, the sizes of all are in channels 0 and 1; else class c has 2c and 2c + 1.
    std::string sizes;
    if (graph_.values[node.inputs[1]].shape[1] == 2) {
      sizes = at_cells(in(node, 1));
    } else {
      const std::string rows = step("Reshape", {in(node, 1), integers({0, -1})});
      const std::string first = step("Add", {step("Mul", {step("Mul", {classes, integers({2})}), plane}), cell});
      const auto gathered = [&](const std::string& at) {
        const std::string values = step("GatherElements", {rows, at}, {attribute("axis", std::int64_t{1})});
        return step("Unsqueeze", {values, integers({1})});
      };
      sizes = step("Concat", {gathered(first), gathered(step("Add", {first, plane}))},
                   {attribute("axis", std::int64_t{1})});
    }
    const std::string side = step("Mul", {step("Relu", {sizes}), number(0.5F)});
    const std::string corners = step("Concat", {step("Sub", {centre, side}), step("Add", {centre, side})},
                                     {attribute("axis", std::int64_t{1})});
    const std::string rows = step("Transpose", {corners}, {attribute("perm", {0, 2, 1})});
    add("Mul", {rows, number(4)}, {name(node.outputs[0])});
  }

  void add_pool(const std::string& input, const std::string& output, const MaxPool& op) {
    add("MaxPool", {input}, {output},
        {attribute("kernel_shape", list(op.kernel)), attribute("pads", both_ends(op.padding)),
         attribute("strides", list(op.stride))});
  }

  std::string cast(const std::string& input, int type) {
    return step("Cast", {input}, {attribute("to", std::int64_t{type})});
  }

  // A node whose one output gets a name of its own.
  std::string step(const std::string& type, const Names& inputs, const std::vector<ProtoMessage>& attributes = {}) {
    const std::string output = fresh();
    add(type, inputs, {output}, attributes);
    return output;
  }

  void add(const std::string& type, const Names& inputs, const Names& outputs,
           const std::vector<ProtoMessage>& attributes = {}) {
    ProtoMessage node;
    for (const std::string& input : inputs) node.bytes(node_proto::kInput, input);
    for (const std::string& output : outputs) node.bytes(node_proto::kOutput, output);
    node.bytes(node_proto::kName, layer_ + ":" + std::to_string(++nodes_)).bytes(node_proto::kType, type);
    for (const ProtoMessage& attribute : attributes) node.message(node_proto::kAttribute, attribute);
    proto_.message(graph_proto::kNode, node);
  }

  std::string constant(const std::string& what, const at::Tensor& tensor, bool as_half) {
    const std::string name = layer_ + "." + what;
    return initializer(name, as_half ? tensor.to(at::kHalf) : tensor);
  }
  std::string number(float value) { return initializer(fresh(), at::full({1}, value)); }
  std::string integers(const std::vector<std::int64_t>& values) {
    return initializer(fresh(), at::tensor(values, at::kLong));
  }

  std::string initializer(const std::string& name, const at::Tensor& tensor) {
    const at::Tensor held = tensor.contiguous();
    ProtoMessage proto;
    for (const std::int64_t size : held.sizes()) proto.integer(tensor_proto::kDims, size);
    proto.integer(tensor_proto::kType, type_of(held)).bytes(tensor_proto::kName, name);
    proto.bytes(tensor_proto::kRaw,
                {static_cast<const char*>(held.const_data_ptr()), static_cast<std::size_t>(held.nbytes())});
    proto_.message(graph_proto::kInitializer, proto);
    return name;
  }

  // ValueInfoProto: name, and the type with its dimensions, numbers or names.
  ProtoMessage described(ValueId value, int type) const {
    const std::vector<std::int64_t>& sizes = graph_.values[value].shape;
    static const char* const kInputSides[] = {"height", "width"};
    static const char* const kOutputSides[] = {"rows", "columns"};
    ProtoMessage shape;
    for (std::size_t d = 0; d < sizes.size(); ++d) {
      ProtoMessage dim;
      if (d == 0 && options_.dynamic_batch) {
        dim.bytes(2, "batch");
      } else if (sizes.size() == 4 && d >= 2 && options_.dynamic_size) {
        dim.bytes(2, (value == graph_.input ? kInputSides : kOutputSides)[d - 2]);
      } else if (sizes.size() < 4 && d == 1 && options_.dynamic_size) {
        dim.bytes(2, "boxes");
      } else {
        dim.integer(1, sizes[d]);
      }
      shape.message(1, dim);
    }
    const ProtoMessage tensor_type = ProtoMessage().integer(1, type).message(2, shape);
    return ProtoMessage().bytes(1, name(value)).message(2, ProtoMessage().message(1, tensor_type));
  }

  const std::string& name(ValueId value) const { return graph_.values[value].name; }
  std::string in(const Node& node, std::size_t at = 0) const { return name(node.inputs[at]); }
  std::string out(const Node& node) const { return name(node.outputs.front()); }
  bool half(const Node& node) const { return graph_.values[node.inputs.front()].half; }
  std::string fresh() { return layer_ + "_" + std::to_string(++fresh_); }

  const Graph& graph_;
  const OnnxOptions& options_;
  ProtoMessage proto_;
  std::string layer_;
  int nodes_ = 0, fresh_ = 0;
};

}  // namespace

std::string onnx_file(const Graph& graph, const OnnxOptions& options) {
  if (options.opset < kOldestOpset || options.opset > kNewestOpset) {
    throw Error("opset " + std::to_string(options.opset) + " is not known", "export",
                "from " + std::to_string(kOldestOpset) + " to " + std::to_string(kNewestOpset));
  }
  return Writer(graph, options).write();
}

}  // namespace conclave
