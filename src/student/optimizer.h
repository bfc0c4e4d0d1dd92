#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <string>
#include <vector>

#include "models/weights.h"
#include "student/options.h"

namespace conclave {

struct NamedParameter {
  std::string name;
  at::Tensor value;     // a leaf of the model, shared with it
  bool decays = false;  // weight decay applies: matrices and kernels, not biases and normalisation
};

// The parameters of a module by dotted name, in its order.
std::vector<NamedParameter> parameters_of(const torch::nn::Module& module);

// The L2 norm of all gradients together, a scalar on their device; 0 when there is none. When `limit` > 0 and the norm
// is larger, the gradients are scaled to it (torch.nn.utils.clip_grad_norm_).
at::Tensor clip_gradients(const std::vector<NamedParameter>& parameters, double limit);

// Changes the parameters by their gradients. Parameters without a gradient are left alone, their state too.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  void zero_grad();  // gradients become undefined
  virtual void step(double lr) = 0;

  // Its own tensors, shared, by the names of state().
  virtual TensorMap tensors() const = 0;
  // What a checkpoint needs: "exp_avg/NAME", "momentum/NAME", ... CPU, contiguous, copies.
  TensorMap state() const;
  // Throws Error (where) naming the first tensor that is missing, unexpected or of another shape.
  void load_state(const TensorMap& state, const std::string& where);

  const std::vector<NamedParameter>& parameters() const { return parameters_; }

 protected:
  explicit Optimizer(std::vector<NamedParameter> parameters) : parameters_(std::move(parameters)) {}

  std::vector<NamedParameter> parameters_;
};

// AdamW (Loshchilov & Hutter 2019, decoupled decay, eps 1e-8) or SGD with momentum (no dampening, decay added to the
// gradient), as torch.optim has them, on the fused kernels. Throws Error (Exit::kUsage) for another type.
std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options, std::vector<NamedParameter> parameters);

}  // namespace conclave
