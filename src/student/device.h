#pragma once

#include <ATen/Context.h>
#include <torch/nn/module.h>

#include <string>

namespace conclave {

// "cpu", "cuda" (the `local_rank`-th) or "cuda:N". Throws Error (Exit::kUsage) for another text or a device that is not
// there.
at::Device device_of(const std::string& text, int local_rank = 0);

// Moves a model; kernels become channels-last when asked. Before an optimizer is made: its tensors follow the layout.
void place(torch::nn::Module& model, at::Device device, bool channels_last);

// Sets the intra-op threads of the calling thread (0: its share of the cores, with so many ranks on this host) so that
// no other thread's setting replaces it later. Returns how many.
int use_threads(int threads, int local_ranks = 1);

// Makes CUDA choose deterministic algorithms; on a CPU they are without help.
void use_deterministic_algorithms(at::Device device);

// bfloat16 autocast while in scope, off when `bf16` is false; the cache of cast weights ends with it.
class Autocast {
 public:
  Autocast(at::Device device, bool bf16);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  at::DeviceType type_;
  bool before_;
};

}  // namespace conclave
