#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace conclave {

// What is to be known of an ONNX model before anything else opens it.
struct OnnxModel {
  std::string input;                // the one that is not a weight
  std::vector<std::int64_t> shape;  // of that input; -1: left open
  struct Output {
    std::string name;
    std::string node;  // the name of the node that makes it, often ""
  };
  std::vector<Output> outputs;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::int64_t opset = 0;  // of the operators that have no domain
};

enum class OnnxOperators {
  kOpenCv,  // those that OpenCV 4.6's reader computes
  kAny      // another runtime will say what it does not know
};

// Reads the protobuf (onnx.proto, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) of a model: nothing is run,
// no other file opened, memory bounded by the file's size. Throws Error for: bytes that are no such message or end too
// early, weights in other files (their paths, wherever they lead, are not followed), weights whose size is not their
// shape's, operators outside of `operators` (all are named), graphs within graphs, not exactly one input.
OnnxModel read_onnx(std::string_view bytes, const std::string& where, OnnxOperators operators = OnnxOperators::kOpenCv);

}  // namespace conclave
