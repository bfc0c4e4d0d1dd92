#pragma once

#include <memory>
#include <string>

#include "teachers/teacher_net.h"

namespace conclave {

// An ONNX file with one input of images (B,3,H,W), float, computed by OpenCV's dnn module on the CPU in float32. Throws
// Error for what read_onnx refuses, what OpenCV can't build, options that only LibTorch has (bf16, channels_last,
// another device), and in a build without the module (CONCLAVE_DNN).
std::unique_ptr<RawNet> open_onnx(std::string bytes, const std::string& where, const EngineOptions& options);

}  // namespace conclave
