#include <ATen/ATen.h>
#include <torch/torch.h>

#include "core/error.h"
#include "teachers/bf16_guard.h"
#include "teachers/teacher_net.h"

namespace conclave {
namespace {

class OwnNet final : public TeacherNet {
 public:
  OwnNet(std::shared_ptr<Detector> model, const std::string& where, const EngineOptions& options)
      : model_(std::move(model)), device_(at::kCPU), options_(options) {
    model_->eval();
    for (at::Tensor& parameter : model_->parameters()) parameter.set_requires_grad(false);
    try {
      device_ = c10::Device(options_.device);
      model_->to(device_);
    } catch (const c10::Error& error) {
      throw Error("can't compute on device '" + options_.device + "': " + error.what_without_backtrace(), where,
                  "use device cpu, or a build with CUDA on a machine that has it");
    }
    if (!options_.channels_last) return;
    for (at::Tensor& parameter : model_->parameters()) {
      if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
    }
  }

  NetAnswer run(const at::Tensor& rgb) override {
    const Bf16Guard autocast(device_.type(), options_.bf16);
    at::Tensor images = normalise(rgb.to(device_), model_->spec());
    images = images.contiguous(options_.channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
    NetAnswer answer;
    answer.heads = model_->forward(images);
    for (at::Tensor* head : {&answer.heads.heat, &answer.heads.wh, &answer.heads.offset})
      *head = head->to(at::kCPU, at::kFloat).contiguous();
    return answer;
  }

  const std::vector<std::string>& classes() const override { return model_->spec().classes; }
  std::pair<int, int> input() const override { return {0, 0}; }
  int batch() const override { return 0; }

 private:
  std::shared_ptr<Detector> model_;
  c10::Device device_;
  EngineOptions options_;
};

}  // namespace

std::unique_ptr<TeacherNet> make_own_net(std::shared_ptr<Detector> model, const std::string& where,
                                         const EngineOptions& options) {
  return std::make_unique<OwnNet>(std::move(model), where, options);
}

}  // namespace conclave
