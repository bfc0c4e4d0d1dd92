#include "export/cost.h"

#include "export/trace.h"
#include "models/network.h"
#include "models/zoo.h"

namespace conclave {
namespace {

double elements(const std::vector<std::int64_t>& shape) {
  double product = 1;
  for (const std::int64_t size : shape) product *= static_cast<double>(size);
  return product;
}

std::int64_t size_of(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.numel() : 0;
}

}  // namespace

Cost cost_of(const Graph& traced) {
  Cost cost;
  double operations = 0;
  for (const Node& node : traced.nodes) {
    const std::vector<std::int64_t>& in = traced.values[node.inputs.front()].shape;
    const std::vector<std::int64_t>& out = traced.values[node.outputs.front()].shape;
    if (const auto* convolution = std::get_if<Convolution>(&node.op)) {
      // Every weight is used once per position of the output, of the input where it is transposed.
      const std::vector<std::int64_t>& shape = convolution->transposed ? in : out;
      const double positions = elements(shape) / static_cast<double>(shape[1]);
      operations += positions * static_cast<double>(convolution->weight.numel());
      cost.parameters += convolution->weight.numel() + size_of(convolution->bias);
    } else if (const auto* norm = std::get_if<BatchNorm>(&node.op)) {
      operations += 2 * elements(in);
      cost.parameters += size_of(norm->weight) + size_of(norm->bias);
    }
  }
  cost.gflops = operations / 1e9;
  return cost;
}

Cost cost_of(Detector& model, int width, int height) {
  if (model.spec().architecture.neck != "deconv_dcn") return cost_of(trace_detector(model, width, height));
  ModelSpec plain = model.spec();
  plain.architecture.neck = "deconv";
  Cost cost = cost_of(*make_network(plain), width, height);
  double positions = static_cast<double>(width / 32) * (height / 32);  // of the first stage's input
  for (const auto& parameter : model.named_parameters()) {
    if (parameter.key().find(".offset_mask.") == std::string::npos) continue;
    cost.parameters += parameter.value().numel();
    if (parameter.value().dim() != 4) continue;
    cost.gflops += positions * static_cast<double>(parameter.value().numel()) / 1e9;
    positions *= 4;
  }
  return cost;
}

std::vector<ZooRow> zoo_table(int width, int height) {
  std::vector<Architecture> rows;
  for (const BackboneEntry& backbone : backbones()) {
    for (const NeckEntry& neck : necks()) rows.push_back({.backbone = backbone.name, .neck = neck.name});
  }
  rows.push_back({.width = 16, .neck_channels = {64, 48, 32}, .skip = true, .head_channels = 32});

  std::vector<ZooRow> table;
  for (const Architecture& architecture : rows) {
    const auto model = make_network({.architecture = architecture, .classes = {"object"}});
    table.push_back({describe(architecture), cost_of(*model, width, height)});
  }
  return table;
}

}  // namespace conclave
