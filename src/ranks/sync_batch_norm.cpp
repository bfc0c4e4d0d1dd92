#include "ranks/sync_batch_norm.h"

#include <ATen/ATen.h>
#include <ATen/ops/batch_norm_update_stats.h>
#include <torch/csrc/autograd/custom_function.h>

#include "models/norm.h"

namespace conclave {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// Of all ranks.
struct Statistics {
  at::Tensor mean, variance;  // (C,) float, double for doubles; the variance is the biased one
  at::Tensor count;           // scalar: values per channel
};

at::Tensor per_channel(const at::Tensor& values) {
  return values.view({1, -1, 1, 1});
}

double values_per_channel(const at::Tensor& x) {
  return static_cast<double>(x.size(0) * x.size(2) * x.size(3));
}

Statistics joined_statistics(const at::Tensor& x, ProcessGroup& group) {
  const auto options = x.options().dtype(x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  const std::int64_t channels = x.size(1);
  // The first two are running statistics that nobody needs.
  const auto [mean, variance] =
      at::batch_norm_update_stats(x, at::zeros({channels}, options), at::zeros({channels}, options), 0.0);
  const at::Tensor count = at::full({1}, values_per_channel(x), options);
  const at::Tensor parts = group.gather(at::cat({count, mean, variance}));  // (ranks, 1 + 2C)
  const at::Tensor counts = parts.narrow(1, 0, 1), means = parts.narrow(1, 1, channels);
  const at::Tensor variances = parts.narrow(1, 1 + channels, channels);
  Statistics joined;
  joined.count = counts.sum();
  joined.mean = (counts * means).sum(0) / joined.count;
  joined.variance = (counts * (variances + (means - joined.mean).square())).sum(0) / joined.count;
  return joined;
}

class SyncBatchNorm : public torch::autograd::Function<SyncBatchNorm> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias, const Statistics& of, double epsilon, ProcessGroup* group) {
    context->save_for_backward({x, weight, of.mean, (of.variance + epsilon).rsqrt(), of.count});
    context->saved_data["group"] = reinterpret_cast<std::int64_t>(group);
    return std::get<0>(at::native_batch_norm(x, weight, bias, of.mean, of.variance, /*training=*/false, 0.0, epsilon));
  }

  // With y = w (x - m) s + b, s = 1 / sqrt(variance + epsilon), and N values per channel over all ranks:
  //   dx = w s (dy - sum(dy) / N - (x - m) s^2 sum(dy (x - m)) / N),  dw = s sum(dy (x - m)),  db = sum(dy)
  // where the sums in dx run over all ranks; those of dw and db are this rank's, like any other gradient.
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &mean = saved[2], &scale = saved[3], &count = saved[4];
    auto& group = *reinterpret_cast<ProcessGroup*>(context->saved_data["group"].toInt());
    const at::Tensor dy = gradients[0].contiguous(x.suggest_memory_format());
    auto [unused, dw, db] =
        at::native_batch_norm_backward(dy, x, weight, /*running_mean=*/{}, /*running_var=*/{}, mean, scale,
                                       /*train=*/true, 0.0, {false, true, true});
    const at::Tensor sum_dy = db.clone(), sum_dy_x = dw.clone();  // dw holds s sum(dy (x - m))
    group.sum({sum_dy, sum_dy_x});
    const at::Tensor factor = weight * scale;
    const at::Tensor slope = -factor * scale * sum_dy_x / count;
    const at::Tensor constant = -factor * sum_dy / count - slope * mean;
    at::Tensor dx = at::addcmul(per_channel(constant), x, per_channel(slope));
    dx.addcmul_(dy, per_channel(factor));
    return {dx.to(x.scalar_type()), dw, db, {}, {}, {}};
  }
};

at::Tensor normalised(torch::nn::BatchNorm2dImpl& norm, const at::Tensor& x, ProcessGroup& group) {
  Statistics joined;
  {
    const at::NoGradGuard no_grad;
    joined = joined_statistics(x, group);
    norm.num_batches_tracked += 1;
    const double momentum = norm.options.momentum().value_or(1.0 / norm.num_batches_tracked.item<double>());
    norm.running_mean.mul_(1 - momentum).add_(joined.mean, momentum);
    norm.running_var.mul_(1 - momentum)
        .add_(joined.variance * (joined.count / (joined.count - 1).clamp_min(1)), momentum);
  }
  return SyncBatchNorm::apply(x, norm.weight, norm.bias, joined, norm.options.eps(), &group);
}

}  // namespace

void synchronise_norms(torch::nn::Module& model, ProcessGroup& group) {
  if (group.c10d() == nullptr) return;
  for (const auto& module : model.modules()) {
    if (auto* norm = module->as<Norm2d>()) {
      norm->train_with(
          [&group](torch::nn::BatchNorm2dImpl& own, const at::Tensor& x) { return normalised(own, x, group); });
    }
  }
}

}  // namespace conclave
