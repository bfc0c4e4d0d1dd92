#include "export/caffe_file.h"

#include <ATen/ATen.h>

#include <map>
#include <sstream>

#include "core/error.h"
#include "export/protobuf.h"

namespace conclave {
namespace {

// Field numbers of caffe.proto (github.com/BVLC/caffe), by message.
namespace net_parameter {
enum { kName = 1, kLayer = 100 };
}
namespace layer_parameter {
enum { kName = 1, kType = 2, kBottom = 3, kTop = 4, kBlobs = 7 };
}
namespace blob_proto {
enum { kData = 5, kShape = 7 };
}

ProtoMessage blob(const at::Tensor& tensor) {
  const at::Tensor held = tensor.to(at::kFloat).contiguous();
  ProtoMessage proto;
  proto.bytes(blob_proto::kData,  // packed floats are their bytes
              {static_cast<const char*>(held.const_data_ptr()), static_cast<std::size_t>(held.nbytes())});
  const std::vector<std::int64_t> sizes = held.sizes().vec();
  proto.message(blob_proto::kShape, ProtoMessage().integers(1, sizes));
  return proto;
}

// What Caffe's pooling makes of a side, and what everybody else does.
std::int64_t rounded_up(std::int64_t side, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  const std::int64_t pooled = (side + 2 * padding - kernel + stride - 1) / stride + 1;
  return padding > 0 && (pooled - 1) * stride >= side + padding ? pooled - 1 : pooled;
}

class Writer {
 public:
  explicit Writer(const Graph& graph) : graph_(graph) {}

  CaffeFiles write() {
    net_.bytes(net_parameter::kName, "conclave");
    text_ << "name: \"conclave\"\n";
    std::ostringstream shape;
    shape << "  input_param { shape {";
    for (const std::int64_t size : graph_.values[graph_.input].shape) shape << " dim: " << size;
    shape << " } }\n";
    add("Input", graph_.values[graph_.input].name, {}, graph_.values[graph_.input].name, shape.str());
    for (const Node& node : graph_.nodes) std::visit([&](const auto& op) { lower(node, op); }, node.op);
    if (net_.text().size() > kLargestProto) throw Error("a caffemodel holds at most 2 GiB", "export");
    return {text_.str(), net_.text()};
  }

 private:
  using Names = std::vector<std::string>;

  void lower(const Node& node, const Convolution& op) {
    if (op.output_padding != Pair{0, 0}) lacks(node, "a transposed convolution with output padding");
    std::ostringstream fields;
    fields << "  convolution_param {\n    num_output: " << graph_.values[node.outputs.front()].shape[1]
           << "\n    bias_term: " << (op.bias.defined() ? "true" : "false") << "\n    kernel_h: " << op.weight.size(2)
           << "\n    kernel_w: " << op.weight.size(3) << "\n    stride_h: " << op.stride[0]
           << "\n    stride_w: " << op.stride[1] << "\n    pad_h: " << op.padding[0]
           << "\n    pad_w: " << op.padding[1];
    if (op.dilation != Pair{1, 1}) {
      if (op.dilation[0] != op.dilation[1]) lacks(node, "a dilation that differs by direction");
      fields << "\n    dilation: " << op.dilation[0];
    }
    if (op.groups != 1) fields << "\n    group: " << op.groups;
    fields << "\n  }\n";
    const auto blobs = op.bias.defined() ? std::vector<at::Tensor>{op.weight, op.bias} : std::vector{op.weight};
    add(op.transposed ? "Deconvolution" : "Convolution", node.layer, {in(node)}, out(node), fields.str(), blobs);
  }

  void lower(const Node& node, const BatchNorm&) {
    throw Error("batch normalisation must be folded before the graph is written", node.layer);
  }

  void lower(const Node& node, const Relu&) { add("ReLU", node.layer, {in(node)}, out(node)); }

  void lower(const Node& node, const Add&) {
    add("Eltwise", node.layer, {in(node), in(node, 1)}, out(node), "  eltwise_param { operation: SUM }\n");
  }

  void lower(const Node& node, const MaxPool& op) {
    const std::vector<std::int64_t>& from = graph_.values[node.inputs.front()].shape;
    const std::vector<std::int64_t>& to = graph_.values[node.outputs.front()].shape;
    std::int64_t cut[2];  // rows and columns too many
    for (const std::size_t d : {0, 1}) {
      cut[d] = rounded_up(from[d + 2], op.kernel[d], op.stride[d], op.padding[d]) - to[d + 2];
    }
    if (cut[0] == 0 && cut[1] == 0) return add_pool(node.layer, in(node), out(node), op);
    const std::string whole = node.layer + "_rounded_up";
    add_pool(whole, in(node), whole, op);
    at::Tensor first = at::zeros({to[1], 1, cut[0] + 1, cut[1] + 1});
    first.select(2, 0).select(2, 0).fill_(1);
    std::ostringstream fields;
    fields << "  convolution_param {\n    num_output: " << to[1] << "\n    group: " << to[1]
           << "\n    bias_term: false\n    kernel_h: " << cut[0] + 1 << "\n    kernel_w: " << cut[1] + 1 << "\n  }\n";
    add("Convolution", node.layer, {whole}, out(node), fields.str(), {first});
  }

  void lower(const Node& node, const ScaleShift& op) {
    add("Scale", node.layer, {in(node)}, out(node), "  scale_param { axis: 1 bias_term: true }\n",
        {op.scale, op.shift});
  }

  void lower(const Node& node, const ToHalf&) { lacks(node, "float16"); }
  void lower(const Node& node, const ToFloat&) { lacks(node, "float16"); }

  void lower(const Node& node, const KeepPeaks& op) {
    if (op.exact) lacks(node, "comparison (peaks by arithmetic work)");
    const auto name = [&](const char* part) { return node.layer + "_" + part; };
    add("Sigmoid", name("p"), {in(node)}, name("p"));
    add_pool(name("highest"), name("p"), name("highest"), {{3, 3}, {1, 1}, {1, 1}});
    add("Eltwise", name("below"), {name("p"), name("highest")}, name("below"),
        "  eltwise_param { operation: SUM coeff: 1 coeff: -1 }\n");
    add("Power", name("shifted"), {name("below")}, name("shifted"), "  power_param { shift: 1e-9 }\n");
    add("ReLU", name("kept"), {name("shifted")}, name("kept"));
    add("Power", name("mask"), {name("kept")}, name("mask"), "  power_param { scale: 1e9 }\n");
    add("Eltwise", node.layer, {name("p"), name("mask")}, out(node), "  eltwise_param { operation: PROD }\n");
  }

  void lower(const Node& node, const TopBoxes&) { lacks(node, "sorting (boxes can't be inside the graph)"); }

  void add_pool(const std::string& layer, const std::string& bottom, const std::string& top, const MaxPool& op) {
    std::ostringstream fields;
    fields << "  pooling_param {\n    pool: MAX\n    kernel_h: " << op.kernel[0] << "\n    kernel_w: " << op.kernel[1]
           << "\n    stride_h: " << op.stride[0] << "\n    stride_w: " << op.stride[1]
           << "\n    pad_h: " << op.padding[0] << "\n    pad_w: " << op.padding[1] << "\n  }\n";
    add("Pooling", layer, {bottom}, top, fields.str());
  }

  void add(const std::string& type, const std::string& layer, const Names& bottoms, const std::string& top,
           const std::string& fields = {}, const std::vector<at::Tensor>& blobs = {}) {
    text_ << "layer {\n  name: \"" << layer << "\"\n  type: \"" << type << "\"\n";
    ProtoMessage proto;
    proto.bytes(layer_parameter::kName, layer).bytes(layer_parameter::kType, type);
    for (const std::string& bottom : bottoms) {
      text_ << "  bottom: \"" << bottom << "\"\n";
      proto.bytes(layer_parameter::kBottom, bottom);
    }
    text_ << "  top: \"" << top << "\"\n" << fields << "}\n";
    proto.bytes(layer_parameter::kTop, top);
    for (const at::Tensor& values : blobs) proto.message(layer_parameter::kBlobs, blob(values));
    if (!blobs.empty()) net_.message(net_parameter::kLayer, proto);
  }

  [[noreturn]] static void lacks(const Node& node, const std::string& what) {
    throw Error("Caffe has no " + what, node.layer, "conclave export --list says what each format takes");
  }

  const std::string& in(const Node& node, std::size_t at = 0) const { return graph_.values[node.inputs[at]].name; }
  const std::string& out(const Node& node) const { return graph_.values[node.outputs.front()].name; }

  const Graph& graph_;
  std::ostringstream text_;
  ProtoMessage net_;
};

}  // namespace

CaffeFiles caffe_files(const Graph& graph) {
  return Writer(graph).write();
}

}  // namespace conclave
