#include "models/initial_values.h"

#include <torch/nn/modules/conv.h>
#include <torch/utils.h>

#include <cmath>

#include "core/random.h"
#include "models/deconv_neck.h"
#include "models/heads.h"
#include "models/norm.h"

namespace conclave {
namespace {

std::uint64_t seed_for(const std::string& name, std::uint64_t seed) {
  for (const char c : name) seed = mix(seed, static_cast<unsigned char>(c));
  return seed;
}

void normal_(const at::Tensor& values, double variance, std::uint64_t seed) {
  const double deviation = std::sqrt(variance);
  CounterRandom random(seed);
  float* value = values.data_ptr<float>();
  for (std::int64_t i = 0; i < values.numel(); ++i) value[i] = static_cast<float>(deviation * random.normal());
}

void fill_convolution(torch::nn::Conv2dImpl& conv, bool predicts, std::uint64_t seed) {
  const at::Tensor& kernel = conv.weight;  // (out,in,k,k)
  const auto area = static_cast<double>(kernel.size(2) * kernel.size(3));
  const double fan_in = static_cast<double>(kernel.size(1)) * area;
  const double fan_out = static_cast<double>(kernel.size(0)) * area;
  normal_(kernel, predicts ? 1.0 / (3.0 * fan_in) : 2.0 / fan_out, seed);
  if (conv.bias.defined()) conv.bias.zero_();
}

}  // namespace

void set_initial_values(torch::nn::Module& detector, std::uint64_t seed) {
  const torch::NoGradGuard no_grad;
  for (const auto& item : detector.named_modules()) {
    const std::string& name = item.key();
    if (auto* conv = item.value()->as<torch::nn::Conv2d>()) {
      const bool predicts = name == "heat.2" || name == "wh.2" || name == "offset.2";
      fill_convolution(*conv, predicts, seed_for(name, seed));
      if (name.ends_with(".offset_mask")) conv->weight.zero_();  // a fresh deformable convolution starts undeformed
      if (name == "heat.2") conv->bias.fill_(kHeatBias);
    } else if (auto* deformable = dynamic_cast<DeformableConv*>(item.value().get())) {
      const auto fan_out = static_cast<double>(deformable->weight.size(0) * 9);
      normal_(deformable->weight, 2.0 / fan_out, seed_for(name, seed));
      deformable->bias.zero_();
    } else if (auto* up = item.value()->as<torch::nn::ConvTranspose2d>()) {
      const at::Tensor& kernel = up->weight;  // (in,out,4,4); each output takes 4 of its taps from each input
      if (kernel.size(0) == kernel.size(1)) {
        bilinear_(up->weight);
      } else {
        normal_(kernel, 2.0 / static_cast<double>(4 * kernel.size(0)), seed_for(name, seed));
      }
    } else if (auto* norm = item.value()->as<Norm2d>()) {
      norm->reset_parameters();
      norm->reset_running_stats();
    }
  }
}

}  // namespace conclave
