#include "export/torchscript_file.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <sstream>

#include "core/error.h"

namespace conclave {
namespace {

constexpr int kFloatType = static_cast<int>(at::kFloat);
constexpr int kHalfType = static_cast<int>(at::kHalf);

std::string identifier(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

std::string text(const Pair& pair) {
  std::ostringstream text;
  text << '[' << pair[0] << ", " << pair[1] << ']';
  return text.str();
}

class Writer {
 public:
  explicit Writer(const Graph& graph) : graph_(graph), module_("conclave_detector") {}

  torch::jit::Module write() {
    source_ << "def forward(self, " << name(graph_.input) << "):\n";
    for (const Node& node : graph_.nodes) std::visit([&](const auto& op) { lower(node, op); }, node.op);
    source_ << "    return ";
    for (const ValueId output : graph_.outputs)
      source_ << name(output) << (output == graph_.outputs.back() ? "\n" : ", ");
    module_.define(source_.str());
    module_.eval();
    return module_;
  }

 private:
  void lower(const Node& node, const Convolution& op) {
    const std::string weight = constant(node, "weight", op.weight);
    const std::string bias = op.bias.defined() ? constant(node, "bias", op.bias) : "None";
    if (op.transposed) {
      let(node) << "torch.conv_transpose2d(" << in(node) << ", " << weight << ", " << bias << ", " << text(op.stride)
                << ", " << text(op.padding) << ", " << text(op.output_padding) << ", " << op.groups << ", "
                << text(op.dilation) << ")\n";
    } else {
      let(node) << "torch.conv2d(" << in(node) << ", " << weight << ", " << bias << ", " << text(op.stride) << ", "
                << text(op.padding) << ", " << text(op.dilation) << ", " << op.groups << ")\n";
    }
  }

  void lower(const Node& node, const BatchNorm&) {
    throw Error("batch normalisation must be folded before the graph is written", node.layer);
  }

  void lower(const Node& node, const Relu&) { let(node) << "torch.relu(" << in(node) << ")\n"; }

  void lower(const Node& node, const Add&) { let(node) << in(node) << " + " << in(node, 1) << "\n"; }

  void lower(const Node& node, const MaxPool& op) {
    let(node) << "torch.max_pool2d(" << in(node) << ", " << text(op.kernel) << ", " << text(op.stride) << ", "
              << text(op.padding) << ")\n";
  }

  void lower(const Node& node, const ScaleShift& op) {
    const int type = graph_.values[node.outputs.front()].half ? kHalfType : kFloatType;
    let(node) << "torch.to(" << in(node) << ", " << type << ") * "
              << constant(node, "scale", op.scale.view({1, -1, 1, 1})) << " + "
              << constant(node, "shift", op.shift.view({1, -1, 1, 1})) << "\n";
  }

  void lower(const Node& node, const ToHalf&) { let(node) << "torch.to(" << in(node) << ", " << kHalfType << ")\n"; }

  void lower(const Node& node, const ToFloat&) { let(node) << "torch.to(" << in(node) << ", " << kFloatType << ")\n"; }

  void lower(const Node& node, const KeepPeaks& op) {
    line() << "p = torch.sigmoid(" << in(node) << ")\n";
    line() << "highest = torch.max_pool2d(p, [3, 3], [1, 1], [1, 1])\n";
    if (op.exact) {
      let(node) << "torch.where(p == highest, p, torch.zeros_like(p))\n";
    } else {
      let(node) << "p * (torch.relu(p - highest + 1e-9) * 1e9)\n";
    }
  }

  void lower(const Node& node, const TopBoxes& op) {
    const std::string peaks = in(node), wh = in(node, 1), offset = in(node, 2);
    const std::string boxes = name(node.outputs[0]), scores = name(node.outputs[1]), classes = name(node.outputs[2]);
    line() << "columns = torch.size(" << peaks << ", 3)\n";
    line() << "plane = torch.size(" << peaks << ", 2) * columns\n";
    line() << "flat = torch.flatten(" << peaks << ", 1)\n";
    line() << scores << ", index = torch.topk(flat, min(" << op.top_k << ", torch.size(flat, 1)), 1)\n";
    line() << classes << " = torch.floor_divide(index, plane)\n";
    line() << "cell = torch.unsqueeze(torch.remainder(index, plane), 1)\n";
    line() << "both = torch.expand(cell, [-1, 2, -1])\n";
    line() << "corner = torch.cat([torch.remainder(cell, columns), torch.floor_divide(cell, columns)], 1)\n";
    line() << "centre = torch.to(corner, " << kFloatType << ") + torch.gather(torch.flatten(" << offset
           << ", 2), 2, both)\n";
    if (graph_.values[node.inputs[1]].shape[1] == 2) {
      line() << "sizes = torch.gather(torch.flatten(" << wh << ", 2), 2, both)\n";
    } else {  // class c has channels 2c and 2c + 1
      line() << "first = " << classes << " * (2 * plane) + torch.squeeze(cell, 1)\n";
      line() << "rows = torch.flatten(" << wh << ", 1)\n";
      line() << "sizes = torch.stack([torch.gather(rows, 1, first), torch.gather(rows, 1, first + plane)], 1)\n";
    }
    line() << "side = torch.relu(sizes) * 0.5\n";
    line() << boxes << " = torch.transpose(torch.cat([centre - side, centre + side], 1), 1, 2) * 4.0\n";
  }

  std::ostream& line() { return source_ << "    "; }
  std::ostream& let(const Node& node) { return line() << name(node.outputs.front()) << " = "; }

  // Registers a parameter and returns how the source names it.
  std::string constant(const Node& node, const std::string& what, const at::Tensor& tensor) {
    const std::string own = identifier(node.layer + "_" + what);
    const bool half = graph_.values[node.outputs.front()].half;
    module_.register_parameter(own, (half ? tensor.to(at::kHalf) : tensor).detach().clone(), /*is_buffer=*/false);
    std::string reference = "self.";
    return reference.append(own);
  }

  std::string name(ValueId value) const { return identifier(graph_.values[value].name); }
  std::string in(const Node& node, std::size_t at = 0) const { return name(node.inputs[at]); }

  const Graph& graph_;
  torch::jit::Module module_;
  std::ostringstream source_;
};

}  // namespace

torch::jit::Module torchscript_module(const Graph& graph) {
  return Writer(graph).write();
}

void write_torchscript(const std::filesystem::path& path, const Graph& graph,
                       const std::map<std::string, std::string>& extra) {
  torchscript_module(graph).save(path.string(), {extra.begin(), extra.end()});
}

}  // namespace conclave
