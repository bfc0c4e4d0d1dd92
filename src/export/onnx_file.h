#pragma once

#include <map>
#include <string>

#include "export/graph.h"

namespace conclave {

inline constexpr int kOldestOpset = 13, kNewestOpset = 17;

struct OnnxOptions {
  int opset = kNewestOpset;  // 13: also OpenCV 4.6 and other old readers
  bool dynamic_batch = false, dynamic_size = false;
  bool byte_pixels = false;                     // the input is uint8, else float
  std::map<std::string, std::string> metadata;  // the model's metadata_props
};

// The bytes of an ONNX file (onnx.proto of IR version 7 or 8), weights inside. Throws Error that names the layer for an
// operator that ONNX does not have, or when the file would exceed protobuf's 2 GiB.
std::string onnx_file(const Graph& graph, const OnnxOptions& options);

}  // namespace conclave
