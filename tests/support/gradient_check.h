#pragma once

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

namespace conclave {

// Compares the gradients of a scalar function with central differences, at every element of every input. Inputs are
// contiguous float64. Keep them away from kinks by more than `step`.
inline void expect_gradients_match(const std::function<at::Tensor(const std::vector<at::Tensor>&)>& function,
                                   const std::vector<at::Tensor>& inputs, double tolerance = 1e-6, double step = 1e-5) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& input : inputs) {
    ASSERT_EQ(input.scalar_type(), at::kDouble);
    leaves.push_back(input.clone().requires_grad_(true));
  }
  function(leaves).backward();
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    at::Tensor probe = leaves[i].detach().clone();
    std::vector<at::Tensor> arguments(leaves);
    arguments[i] = probe;
    const at::Tensor gradient = leaves[i].grad().defined() ? leaves[i].grad().contiguous() : at::zeros_like(probe);
    double* value = probe.data_ptr<double>();
    for (std::int64_t k = 0; k < probe.numel(); ++k) {
      const double original = value[k];
      value[k] = original + step;
      const double above = function(arguments).item<double>();
      value[k] = original - step;
      const double below = function(arguments).item<double>();
      value[k] = original;
      const double expected = (above - below) / (2 * step);
      EXPECT_NEAR(gradient.data_ptr<double>()[k], expected, tolerance * std::max(1.0, std::abs(expected)))
          << "input " << i << ", element " << k;
    }
  }
}

// The same along random directions through all inputs at once: cheap where the function is slow or the inputs are
// large.
inline void expect_directional_gradients_match(
    const std::function<at::Tensor(const std::vector<at::Tensor>&)>& function, const std::vector<at::Tensor>& inputs,
    int directions = 20, double tolerance = 1e-5, double step = 1e-6) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& input : inputs) {
    ASSERT_EQ(input.scalar_type(), at::kDouble);
    leaves.push_back(input.clone().requires_grad_(true));
  }
  function(leaves).backward();
  const at::NoGradGuard no_grad;
  for (int d = 0; d < directions; ++d) {
    double slope = 0;
    std::vector<at::Tensor> above, below;
    for (const at::Tensor& leaf : leaves) {
      const at::Tensor direction = at::randn_like(leaf);
      above.push_back(leaf + step * direction);
      below.push_back(leaf - step * direction);
      if (leaf.grad().defined()) slope += (leaf.grad() * direction).sum().item<double>();
    }
    const double expected = (function(above) - function(below)).item<double>() / (2 * step);
    EXPECT_NEAR(slope, expected, tolerance * std::max(1.0, std::abs(expected))) << "direction " << d;
  }
}

}  // namespace conclave
