#include "export/build_graph.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "export/trace.h"

namespace conclave {
namespace {

struct Factors {
  at::Tensor scale, shift;  // double
};

// (x - mean) / sqrt(variance + epsilon) * weight + bias = x * scale + shift
Factors factors_of(const BatchNorm& norm) {
  at::Tensor scale = (norm.variance.to(at::kDouble) + norm.epsilon).rsqrt();
  if (norm.weight.defined()) scale = scale * norm.weight.to(at::kDouble);
  at::Tensor shift = -norm.mean.to(at::kDouble) * scale;
  if (norm.bias.defined()) shift = shift + norm.bias.to(at::kDouble);
  return {scale, shift};
}

Convolution folded(const Convolution& convolution, const BatchNorm& norm) {
  const Factors factors = factors_of(norm);
  Convolution result = convolution;
  const at::Tensor& w = convolution.weight;
  if (convolution.transposed) {  // (in,out/groups,k,k); output channel c of group g is column c of the group's rows
    const std::int64_t groups = convolution.groups;
    const at::Tensor grouped = w.to(at::kDouble).view({groups, w.size(0) / groups, w.size(1), w.size(2), w.size(3)});
    result.weight = (grouped * factors.scale.view({groups, 1, w.size(1), 1, 1})).reshape(w.sizes());
  } else {
    result.weight = w.to(at::kDouble) * factors.scale.view({-1, 1, 1, 1});
  }
  const at::Tensor bias =
      convolution.bias.defined() ? convolution.bias.to(at::kDouble) * factors.scale : at::zeros({1});
  result.weight = result.weight.to(at::kFloat).contiguous();
  result.bias = (bias + factors.shift).to(at::kFloat).contiguous();
  return result;
}

// Pixels come in: the first nodes of the graph normalise them. BGR costs nothing: the first convolution's input
// channels change places.
void take_pixels(Graph& graph, const ModelSpec& spec, bool bgr) {
  at::Tensor mean = at::tensor(at::ArrayRef<float>(spec.mean.data(), 3), at::kDouble);
  at::Tensor std = at::tensor(at::ArrayRef<float>(spec.std.data(), 3), at::kDouble);
  if (bgr) {
    mean = mean.flip(0);
    std = std.flip(0);
    for (Node& node : graph.nodes) {
      const bool first = std::find(node.inputs.begin(), node.inputs.end(), graph.input) != node.inputs.end();
      if (!first) continue;
      Convolution& convolution = std::get<Convolution>(node.op);
      convolution.weight = convolution.weight.flip(1).contiguous();
    }
  }
  const ScaleShift op{(1 / std).to(at::kFloat), (-mean / std).to(at::kFloat)};
  const ValueId normalised = graph.add_value("normalised", graph.values[graph.input].shape);
  for (Node& node : graph.nodes) std::replace(node.inputs.begin(), node.inputs.end(), graph.input, normalised);
  graph.nodes.insert(graph.nodes.begin(), Node{"normalise", op, {graph.input}, {normalised}});
}

// Everything between the normalised image and the heads in float16.
void compute_in_half(Graph& graph) {
  const bool pixels = std::holds_alternative<ScaleShift>(graph.nodes.front().op);
  const ValueId start = pixels ? graph.nodes.front().outputs.front() : graph.input;
  const ValueId half = graph.add_value("half", graph.values[start].shape);
  for (Node& node : graph.nodes) std::replace(node.inputs.begin(), node.inputs.end(), start, half);
  graph.nodes.insert(graph.nodes.begin() + (pixels ? 1 : 0), Node{"to_half", ToHalf{}, {start}, {half}});
  graph.values[half].half = true;
  for (const Node& node : graph.nodes) {
    if (graph.values[node.inputs.front()].half) graph.values[node.outputs.front()].half = true;
  }
  for (ValueId& output : graph.outputs) {
    const std::string name = graph.values[output].name;
    graph.values[output].name = name + ".half";
    output = graph.append(name + ".to_float", ToFloat{}, {output}, graph.values[output].shape);
    graph.values[output].name = name;
  }
}

void add_ending(Graph& graph, const GraphOptions& options) {
  if (options.outputs == GraphOutputs::kHeads) return;
  const ValueId heat = graph.outputs[0], wh = graph.outputs[1], offset = graph.outputs[2];
  const ValueId peaks = graph.append("peaks", KeepPeaks{options.exact_peaks}, {heat}, graph.values[heat].shape);
  graph.outputs[0] = peaks;
  if (options.outputs == GraphOutputs::kPeaks) return;
  const std::vector<std::int64_t> shape = graph.values[peaks].shape;
  const std::int64_t k = std::min<std::int64_t>(options.top_k, shape[1] * shape[2] * shape[3]);
  const ValueId boxes = graph.add_value("boxes", {shape[0], k, 4});
  const ValueId scores = graph.add_value("scores", {shape[0], k});
  const ValueId classes = graph.add_value("classes", {shape[0], k});
  graph.nodes.push_back({"decode", TopBoxes{options.top_k}, {peaks, wh, offset}, {boxes, scores, classes}});
  graph.outputs = {boxes, scores, classes};
}

}  // namespace

Graph fold_batch_norms(const Graph& traced) {
  Graph graph = traced;
  graph.nodes.clear();
  for (const Node& node : traced.nodes) {
    const auto* norm = std::get_if<BatchNorm>(&node.op);
    if (norm == nullptr) {
      graph.nodes.push_back(node);
      continue;
    }
    const ValueId input = node.inputs.front();
    const auto users = std::count_if(traced.nodes.begin(), traced.nodes.end(), [&](const Node& other) {
      return std::find(other.inputs.begin(), other.inputs.end(), input) != other.inputs.end();
    });
    const bool is_output = std::find(traced.outputs.begin(), traced.outputs.end(), input) != traced.outputs.end();
    const auto producer = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                       [&](const Node& other) { return other.outputs.front() == input; });
    const bool foldable = producer != graph.nodes.end() && std::holds_alternative<Convolution>(producer->op);
    if (foldable && users == 1 && !is_output) {
      producer->op = folded(std::get<Convolution>(producer->op), *norm);
      producer->outputs = node.outputs;
    } else {
      const Factors factors = factors_of(*norm);
      Node scaled = node;
      scaled.op = ScaleShift{factors.scale.to(at::kFloat), factors.shift.to(at::kFloat)};
      graph.nodes.push_back(std::move(scaled));
    }
  }
  return graph;
}

Graph build_graph(Detector& model, const GraphOptions& options) {
  const at::NoGradGuard no_grad;
  Graph graph = fold_batch_norms(trace_detector(model, options.width, options.height));
  for (Value& value : graph.values) value.shape[0] = options.batch;
  if (options.input != GraphInput::kNormalised) {
    take_pixels(graph, model.spec(), options.input == GraphInput::kBgr);
  }
  if (options.half) compute_in_half(graph);
  add_ending(graph, options);
  return graph;
}

}  // namespace conclave
