#include <ATen/Context.h>
#include <torch/version.h>
#include <zmq.h>

#include <cstdio>
#include <filesystem>
#include <opencv2/core/version.hpp>

#include "cli/commands.h"
#include "cli/machine.h"
#include "cli/version.h"

namespace conclave {
namespace {

std::string zmq_text() {
  int major = 0, minor = 0, patch = 0;
  zmq_version(&major, &minor, &patch);
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch) +
         (zmq_has("curve") ? " with CURVE" : " without CURVE");
}

std::string cuda_text() {
#ifdef CONCLAVE_CUDA
  if (!at::hasCUDA()) return "built in; no usable GPU here (training.device=cpu)";
  return "built in; " + std::to_string(at::getNumGPUs()) + " GPU(s)";
#else
  return "not built in (CONCLAVE_CUDA=ON ./scripts/setup builds with it)";
#endif
}

void doctor() {
  const auto row = [](const char* name, const std::string& value) { std::printf("%-10s %s\n", name, value.c_str()); };
  row("Conclave", kVersion);
  row("CPU", cpu_name() + ", " + std::to_string(cpu_count()) + " cores");
  row("bfloat16", __builtin_cpu_supports("avx512bf16")
                      ? "in hardware (AVX512-BF16): training.bf16 is about twice as fast"
                      : "emulated: set training.bf16=false on this CPU");
  row("CUDA", cuda_text());
  row("LibTorch", TORCH_VERSION);
  row("OpenCV", CV_VERSION);
#ifdef CONCLAVE_IMGCODECS
  row("images", "JPEG, PNG, BMP, WebP");
#else
  row("images", "JPEG only (built with CONCLAVE_IMGCODECS=OFF)");
#endif
  row("ZeroMQ", zmq_text());
  const auto space = std::filesystem::space(".");
  row("disk", std::to_string(space.available >> 30) + " GiB free in this folder");
}

}  // namespace

void add_doctor(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("doctor", "what this machine and this build have");
  verb->footer("Example:\n  conclave doctor");
  verb->callback([&action] { action = doctor; });
}

}  // namespace conclave
