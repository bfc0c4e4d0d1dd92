#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "core/tensor_file.h"
#include "models/detector.h"

namespace conclave {

// Tensors by name, CPU, any dtype. Ordered, so that files and hashes are the same for equal content.
using TensorMap = std::map<std::string, at::Tensor>;

// A view of a contiguous CPU tensor's memory; the tensor must outlive it.
TensorView view_of(const at::Tensor& tensor);
// A copy of the file's tensor.
at::Tensor tensor_from(const TensorView& view);

void write_tensor_map(const std::filesystem::path& path, const TensorMap& tensors,
                      const std::map<std::string, std::string>& metadata);
TensorMap read_tensor_map(const TensorFile& file);

// Parameters and buffers of a module by their dotted names (running_mean, num_batches_tracked included).
TensorMap state_of(const torch::nn::Module& module);
// Copies values in. Throws Error (where) listing every missing, unexpected and mis-shaped name.
void load_state(torch::nn::Module& module, const TensorMap& state, const std::string& where);

// Weights with their spec in the metadata; what train, distill and teach exchange.
void save_detector(const std::filesystem::path& path, const ModelSpec& spec, const TensorMap& state,
                   const std::map<std::string, std::string>& extra_metadata = {});

struct LoadedDetector {
  std::shared_ptr<Detector> model;  // in eval mode, float32, CPU
  std::string hash;                 // sha256 of the file
};
// Throws Error for a file that is damaged, not a detector's, or does not fit its own spec.
LoadedDetector load_detector(const std::filesystem::path& path);

}  // namespace conclave
