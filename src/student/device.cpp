#include "student/device.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <torch/cuda.h>

#include <algorithm>
#include <thread>

#include "core/error.h"

namespace conclave {

at::Device device_of(const std::string& text, int local_rank) {
  const bool numbered = text.starts_with("cuda:") && text.size() > 5 && text.size() < 9 &&
                        std::all_of(text.begin() + 5, text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (text != "cpu" && text != "cuda" && !numbered) {
    throw Error("unknown device '" + text + "'", "device", "cpu, cuda or cuda:N", Exit::kUsage);
  }
  if (text == "cpu") return at::Device(at::kCPU);
  const std::size_t count = torch::cuda::is_available() ? torch::cuda::device_count() : 0;
  // Where the ranks of a host are given one device each, every one of them sees its own as the first.
  const int index = numbered ? std::stoi(text.substr(5)) : count == 1 ? 0 : local_rank;
  if (static_cast<std::size_t>(index) >= count) {
    throw Error(
        "there is no device 'cuda:" + std::to_string(index) + "': " + std::to_string(count) + " CUDA devices are seen",
        "device", "use cpu, or a build and machine with CUDA (conclave doctor)", Exit::kUsage);
  }
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
}

void place(torch::nn::Module& model, at::Device device, bool channels_last) {
  const at::NoGradGuard no_grad;
  model.to(device);
  if (!channels_last) return;
  for (at::Tensor& parameter : model.parameters()) {
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
  }
}

int use_threads(int threads, int local_ranks) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const int count = threads > 0 ? threads : std::max(1, cores / std::max(1, local_ranks));
  // ATen copies the process-wide setting into a thread on its first use there; asking first gets that over with.
  at::get_num_threads();
  at::set_num_threads(count);
  return count;
}

void use_deterministic_algorithms(at::Device device) {
  if (!device.is_cuda()) return;
  at::Context& context = at::globalContext();
  context.setDeterministicCuDNN(true);
  context.setBenchmarkCuDNN(false);
  context.setDeterministicAlgorithms(true, /*warn_only=*/true);
  context.setDeterministicFillUninitializedMemory(false);
}

Autocast::Autocast(at::Device device, bool bf16)
    : type_(device.type()), before_(at::autocast::is_autocast_enabled(type_)) {
  at::autocast::set_autocast_enabled(type_, bf16);
  at::autocast::set_autocast_dtype(type_, at::kBFloat16);
}

Autocast::~Autocast() {
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(type_, before_);
}

}  // namespace conclave
