#pragma once

#include <torch/nn/modules/batchnorm.h>

#include <functional>
#include <utility>

namespace conclave {

// Batch normalisation whose forward pass in training mode can be replaced, so that its statistics may be taken over
// more than the batch at hand. Otherwise, and by name and parameters always, a torch::nn::BatchNorm2d.
class Norm2dImpl : public torch::nn::BatchNorm2dImpl {
 public:
  using Forward = std::function<at::Tensor(torch::nn::BatchNorm2dImpl& norm, const at::Tensor& x)>;

  using torch::nn::BatchNorm2dImpl::BatchNorm2dImpl;

  at::Tensor forward(const at::Tensor& x) {
    return is_training() && in_training_ ? in_training_(*this, x) : torch::nn::BatchNorm2dImpl::forward(x);
  }

  void train_with(Forward forward) { in_training_ = std::move(forward); }

 private:
  Forward in_training_;
};
TORCH_MODULE(Norm2d);

// Puts every normalisation of a model into evaluation mode: it trains with the statistics it has (training.norm_eval).
// model.train() undoes it.
void freeze_statistics(torch::nn::Module& model);

}  // namespace conclave
