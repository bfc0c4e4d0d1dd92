#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace conclave {

using Pair = std::array<std::int64_t, 2>;  // vertical, horizontal

// The operators that a detector's graph is made of. Each format has one small function for each of them. Tensors are
// float32, contiguous, on the CPU, and never changed once they are here.
struct Convolution {
  at::Tensor weight;  // (out,in/groups,k,k); transposed: (in,out/groups,k,k)
  at::Tensor bias;    // (out); undefined: none
  Pair stride = {1, 1}, padding = {0, 0}, dilation = {1, 1}, output_padding = {0, 0};
  std::int64_t groups = 1;
  bool transposed = false;
};
struct BatchNorm {  // only in a graph as it was traced; fold_batch_norms() takes it out
  at::Tensor weight, bias, mean, variance;
  double epsilon = 1e-5;
};
struct Relu {};
struct Add {};
struct MaxPool {
  Pair kernel = {1, 1}, stride = {1, 1}, padding = {0, 0};
};
struct ScaleShift {  // float(x) * scale + shift, per channel; x may be uint8
  at::Tensor scale, shift;
};
struct ToHalf {};
struct ToFloat {};
struct KeepPeaks {     // logits -> probabilities, 0 where a larger one is in the 3x3 neighbourhood
  bool exact = false;  // compare; else relu(p - maxpool(p) + 1e-9) * 1e9, for runtimes without comparison
};
struct TopBoxes {  // (peaks, wh, offset) -> boxes (B,K,4), scores (B,K), classes (B,K)
  int top_k = 100;
};

using Operator =
    std::variant<Convolution, BatchNorm, Relu, Add, MaxPool, ScaleShift, ToHalf, ToFloat, KeepPeaks, TopBoxes>;

using ValueId = std::size_t;  // position in Graph::values

struct Value {
  std::string name;                 // unique; letters, digits, '_' and '.'
  std::vector<std::int64_t> shape;  // at the size that was traced
  bool half = false;                // float16; everything else is float32, but for uint8 pixels and TopBoxes' classes
};

struct Node {
  std::string layer;  // the parameters' own name where there are some ("backbone.layer1.0.conv1"); unique
  Operator op;
  std::vector<ValueId> inputs, outputs;
};

// A network as a list of operators in an order in which they can run.
struct Graph {
  std::vector<Value> values;
  std::vector<Node> nodes;
  ValueId input = 0;
  std::vector<ValueId> outputs;  // in order; their values' names are the names of the outputs

  ValueId add_value(std::string name, std::vector<std::int64_t> shape);
  // Appends a node with one output, of this shape, named after the layer.
  ValueId append(const std::string& layer, Operator op, std::vector<ValueId> inputs, std::vector<std::int64_t> shape);
};

}  // namespace conclave
