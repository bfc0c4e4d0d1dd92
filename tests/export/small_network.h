#pragma once

#include <ATen/ATen.h>
#include <torch/utils.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "export/build_graph.h"
#include "models/initial_values.h"

namespace conclave {

// The smallest network that has every kind of part, its norms far from 1 and 0 so that folding them shows.
inline std::shared_ptr<Detector> small_network(bool wh_per_class = false) {
  ModelSpec spec;
  spec.architecture = {.width = 2, .neck_channels = {6, 5, 4}, .skip = true, .head_channels = 3};
  spec.architecture.wh_per_class = wh_per_class;
  spec.classes = {"cat", "dog, \"big\""};
  spec.width = 96;
  spec.height = 64;
  spec.mean = {120, 110, 100};
  spec.std = {60, 50, 40};
  const auto model = make_detector(spec, 3);
  const torch::NoGradGuard no_grad;
  at::manual_seed(5);
  for (const auto& item : model->named_buffers()) {
    if (item.key().ends_with("running_mean")) item.value().normal_(0, 0.3);
    if (item.key().ends_with("running_var")) item.value().uniform_(0.5, 2);
  }
  for (const auto& item : model->named_parameters()) {
    if (item.key().find("bn") != std::string::npos) item.value().add_(0.2 * at::randn_like(item.value()));
    if (item.key() == "heat.2.bias") item.value().fill_(0);
  }
  model->eval();
  return model;
}

// (B,H,W,3) uint8: smooth blobs, so that peaks are apart.
inline at::Tensor some_pixels(int batch, int height, int width) {
  at::manual_seed(9);
  const at::Tensor rough = at::rand({batch, 3, height / 8, width / 8});
  const at::Tensor smooth = at::upsample_bilinear2d(rough, {height, width}, false);
  return (smooth * 255).to(at::kByte).permute({0, 2, 3, 1}).contiguous();
}

inline GraphOptions small_options() {
  GraphOptions options;
  options.width = 96;
  options.height = 64;
  options.top_k = 20;
  return options;
}

}  // namespace conclave
