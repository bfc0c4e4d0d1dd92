#pragma once

#include <ATen/ATen.h>

#include <string>

#include "core/tensor_file.h"
#include "models/weights.h"

namespace conclave {

// A file of reference values in tests/golden.
class GoldenTensors {
 public:
  explicit GoldenTensors(const std::string& name)
      : file_(TensorFile::open(std::string(CONCLAVE_SOURCE_DIR) + "/tests/golden/" + name + ".safetensors")) {}

  at::Tensor operator[](const std::string& name) const { return tensor_from(file_.at(name)); }
  at::Tensor f64(const std::string& name) const { return (*this)[name].to(at::kDouble); }
  double scalar(const std::string& name) const { return f64(name).item<double>(); }

 private:
  TensorFile file_;
};

// Largest absolute difference of two tensors of one shape.
inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return a.numel() == 0 ? 0.0 : (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

}  // namespace conclave
