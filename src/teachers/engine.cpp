#include "teachers/engine.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "models/weights.h"

namespace conclave {
namespace {

// Autocast to bf16 for as long as it lives.
class Bf16Guard {
 public:
  Bf16Guard(c10::DeviceType device, bool on)
      : device_(device),
        was_on_(at::autocast::is_autocast_enabled(device)),
        dtype_(at::autocast::get_autocast_dtype(device)) {
    at::autocast::set_autocast_enabled(device_, on);
    if (on) at::autocast::set_autocast_dtype(device_, at::kBFloat16);
    at::autocast::increment_nesting();
  }
  ~Bf16Guard() {
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_dtype(device_, dtype_);
    at::autocast::set_autocast_enabled(device_, was_on_);
  }
  Bf16Guard(const Bf16Guard&) = delete;
  Bf16Guard& operator=(const Bf16Guard&) = delete;

 private:
  c10::DeviceType device_;
  bool was_on_;
  at::ScalarType dtype_;
};

}  // namespace

Engine::Engine(const std::filesystem::path& weights, const EngineOptions& options)
    : where_(weights.string()), options_(options) {
  if (options_.threads < 1) throw Error("an engine needs at least one thread", where_);
  LoadedDetector loaded = load_detector(weights);
  model_ = std::move(loaded.model);
  hash_ = std::move(loaded.hash);
  model_->eval();
  for (at::Tensor& parameter : model_->parameters()) parameter.set_requires_grad(false);
  try {
    model_->to(c10::Device(options_.device));
  } catch (const c10::Error& error) {
    throw Error("can't compute on device '" + options_.device + "': " + error.what_without_backtrace(), where_,
                "use device cpu, or a build with CUDA on a machine that has it");
  }
  if (options_.channels_last) {
    for (at::Tensor& parameter : model_->parameters()) {
      if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
    }
  }
}

// LibTorch's CPU convolutions take other paths for one image, and for sixteen or more, than for a few; their sums
// differ in the last bits. Between these bounds the split of views into batches does not change an answer.
HeadOutputs Engine::run(const std::vector<View>& views) {
  if (views.empty()) throw Error("an engine was given no views", where_);
  constexpr std::size_t kFewest = 2, kMost = 8;
  std::vector<at::Tensor> heat, wh, offset;
  for (std::size_t first = 0; first < views.size(); first += kMost) {
    const std::size_t count = std::min(kMost, views.size() - first);
    const HeadOutputs part = run_batch(std::span(views).subspan(first, count), std::max(kFewest, count));
    heat.push_back(part.heat);
    wh.push_back(part.wh);
    offset.push_back(part.offset);
  }
  if (heat.size() == 1) return {heat[0], wh[0], offset[0]};
  return {at::cat(heat), at::cat(wh), at::cat(offset)};
}

HeadOutputs Engine::run_batch(std::span<const View> views, std::size_t size) {
  if (at::get_num_threads() != options_.threads) at::set_num_threads(options_.threads);
  const at::NoGradGuard no_grad;
  const c10::Device device(options_.device);
  const Bf16Guard autocast(device.type(), options_.bf16);

  const std::int64_t height = views.front().height, width = views.front().width;
  at::Tensor rgb = at::empty({static_cast<std::int64_t>(size), height, width, 3}, at::kByte);
  const std::size_t bytes = static_cast<std::size_t>(height * width * 3);
  for (std::size_t i = 0; i < size; ++i) {
    const View& view = views[std::min(i, views.size() - 1)];
    if (view.height != height || view.width != width || view.pixels.size() != bytes) {
      throw Error("views of different sizes in one batch", where_);
    }
    std::memcpy(rgb.data_ptr<std::uint8_t>() + i * bytes, view.pixels.data(), bytes);
  }
  at::Tensor images = normalise(rgb.to(device), spec());
  images = images.contiguous(options_.channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);

  HeadOutputs out = model_->forward(images);
  for (at::Tensor* head : {&out.heat, &out.wh, &out.offset}) {
    *head = head->narrow(0, 0, static_cast<std::int64_t>(views.size())).to(at::kCPU, at::kFloat).contiguous();
    if (!at::isfinite(*head).all().item<bool>()) {
      throw Error("the teacher's output is not finite", where_, "its weights or the image's normalisation are broken");
    }
  }
  return out;
}

}  // namespace conclave
