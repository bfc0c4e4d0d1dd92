// Images per second of a training step: forward, loss, backward, SGD. scripts/bench_training.py runs this beside
// PyTorch.
//
//   bench_training_step [fp32|bf16] [steps=10] [batch=4] [size=256] [threads=2] [channels_last=0|1]
//
// Prints one number, over `steps` steps after a warm-up.
#include <ATen/autocast_mode.h>
#include <malloc.h>
#include <torch/torch.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <string>

#include "models/detector.h"

namespace {

constexpr int kWarmUp = 3;

struct Setting {
  bool bf16 = false;
  std::map<std::string, int> numbers = {
      {"steps", 10}, {"batch", 4}, {"size", 256}, {"threads", 2}, {"channels_last", -1}};
};

bool parse(int count, char** arguments, Setting& setting) {
  for (int i = 1; i < count; ++i) {
    const std::string text = arguments[i];
    const auto equals = text.find('=');
    if (text == "fp32" || text == "bf16") {
      setting.bf16 = text == "bf16";
    } else if (equals != std::string::npos && setting.numbers.contains(text.substr(0, equals))) {
      setting.numbers[text.substr(0, equals)] = std::stoi(text.substr(equals + 1));
    } else {
      std::fprintf(stderr, "unknown argument: %s\n", text.c_str());
      return false;
    }
  }
  return true;
}

// glibc gives every large tensor back to the system at once and faults it in again; keep the memory instead.
void keep_memory() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 2047 << 20);
}

// The sum of the heads' mean squared errors, heat as a probability: as cheap a loss as there is, so that the network is
// timed.
at::Tensor loss_of(const conclave::HeadOutputs& heads, const conclave::HeadOutputs& targets) {
  return torch::mse_loss(heads.heat.to(at::kFloat).sigmoid(), targets.heat) +
         torch::mse_loss(heads.wh.to(at::kFloat), targets.wh) +
         torch::mse_loss(heads.offset.to(at::kFloat), targets.offset);
}

}  // namespace

int main(int count, char** arguments) {
  Setting setting;
  if (!parse(count, arguments, setting)) return 2;
  const int batch = setting.numbers["batch"], size = setting.numbers["size"], steps = setting.numbers["steps"];
  const bool channels_last =
      setting.numbers["channels_last"] < 0 ? setting.bf16 : setting.numbers["channels_last"] != 0;
  const auto format = channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  keep_memory();
  at::set_num_threads(setting.numbers["threads"]);
  torch::manual_seed(0);

  conclave::ModelSpec spec;
  spec.classes = {"person", "car"};
  const auto model = conclave::make_detector(spec);
  for (at::Tensor& parameter : model->parameters()) {
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(format));
  }
  torch::optim::SGD optimizer(model->parameters(), torch::optim::SGDOptions(1e-3).momentum(0.9));
  const at::Tensor images = torch::randn({batch, 3, size, size}).contiguous(format);
  const auto target = [&] { return torch::rand({batch, 2, size / 4, size / 4}).contiguous(format); };
  const conclave::HeadOutputs targets{target(), target(), target()};

  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  const auto run = [&](int repeats) {
    for (int i = 0; i < repeats; ++i) {
      optimizer.zero_grad();
      at::autocast::set_autocast_enabled(at::kCPU, setting.bf16);
      const conclave::HeadOutputs heads = model->forward(images);
      at::autocast::set_autocast_enabled(at::kCPU, false);
      at::autocast::clear_cache();
      loss_of(heads, targets).backward();
      optimizer.step();
    }
  };
  run(kWarmUp);
  const auto start = std::chrono::steady_clock::now();
  run(steps);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::printf("%.4f\n", steps * batch / seconds.count());
}
