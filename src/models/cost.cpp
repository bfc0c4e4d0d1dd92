#include "models/cost.h"

#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <torch/utils.h>

#include "models/network.h"
#include "models/zoo.h"

namespace conclave {
namespace {

thread_local double operations = 0;

std::unique_ptr<at::ObserverContext> count(const at::RecordFunction& call) {
  const auto inputs = call.inputs();
  const std::string name = call.name();
  if (name == "aten::convolution") {
    // (input, weight, bias, stride, padding, dilation, transposed, ...): every weight is used once per position of the
    // output, of the input where it is transposed.
    const at::Tensor& x = inputs[0].toTensor();
    const at::Tensor& kernel = inputs[1].toTensor();
    double positions = static_cast<double>(x.size(0));
    const bool transposed = inputs[6].toBool();
    const auto stride = inputs[3].toIntVector(), padding = inputs[4].toIntVector(), dilation = inputs[5].toIntVector();
    for (std::int64_t d = 2; d < x.dim(); ++d) {
      const auto i = static_cast<std::size_t>(d - 2);
      const std::int64_t reach = dilation[i] * (kernel.size(d) - 1);
      const std::int64_t size = transposed ? x.size(d) : (x.size(d) + 2 * padding[i] - reach - 1) / stride[i] + 1;
      positions *= static_cast<double>(size);
    }
    operations += positions * static_cast<double>(kernel.numel());
  } else if (name == "aten::batch_norm") {
    operations += 2.0 * static_cast<double>(inputs[0].toTensor().numel());
  }
  return nullptr;
}

}  // namespace

Cost cost_of(Detector& model, int width, int height) {
  Cost cost;
  for (const at::Tensor& parameter : model.parameters()) cost.parameters += parameter.numel();
  const bool training = model.is_training();
  model.eval();
  operations = 0;
  const auto handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback(count).needsInputs(true).scopes({at::RecordScope::FUNCTION}));
  {
    const torch::NoGradGuard no_grad;
    model.forward(at::zeros({1, 3, height, width}, model.parameters().front().options()));
  }
  at::removeCallback(handle);
  model.train(training);
  cost.gflops = operations / 1e9;
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
