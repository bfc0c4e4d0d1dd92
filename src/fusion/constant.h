#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace conclave {

// Numbers of the host as a tensor (N,) like `options`, without waiting for what a GPU is doing.
template <class Number>
at::Tensor constant(const std::vector<Number>& numbers, const at::TensorOptions& options) {
  const at::Tensor host = at::tensor(numbers, options.device(at::kCPU).requires_grad(false));
  return host.to(options.device(), host.scalar_type(), /*non_blocking=*/true);
}

}  // namespace conclave
