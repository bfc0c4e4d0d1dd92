#include "models/detector.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "models/heads.h"
#include "models/initial_values.h"
#include "models/network.h"
#include "models/zoo.h"

namespace conclave {
namespace {

class CenterNet : public Detector {
 public:
  explicit CenterNet(const ModelSpec& spec) : spec_(spec) {
    const Architecture& a = spec.architecture;
    backbone_ = register_module("backbone", find_backbone(a.backbone).make(a.width));
    neck_ = register_module("neck", find_neck(a.neck).make(backbone_->outputs(), a.neck_channels, a.skip));
    const int classes = static_cast<int>(spec.classes.size());
    heat_ = register_module("heat", make_head(neck_->output(), a.head_channels, classes));
    wh_ = register_module("wh", make_head(neck_->output(), a.head_channels, a.wh_per_class ? 2 * classes : 2));
    offset_ = register_module("offset", make_head(neck_->output(), a.head_channels, 2));
  }

  HeadOutputs forward(const at::Tensor& images) override {
    const at::Tensor features = neck_->forward(backbone_->forward(images));
    return {heat_->forward(features), wh_->forward(features), offset_->forward(features)};
  }

  const ModelSpec& spec() const override { return spec_; }

 private:
  ModelSpec spec_;
  std::shared_ptr<Backbone> backbone_;
  std::shared_ptr<Neck> neck_;
  std::shared_ptr<Head> heat_, wh_, offset_;
};

}  // namespace

std::shared_ptr<Detector> make_network(const ModelSpec& spec) {
  check_architecture(spec.architecture);
  if (spec.classes.empty()) throw Error("a detector needs at least one class");
  return std::make_shared<CenterNet>(spec);
}

std::shared_ptr<Detector> make_detector(const ModelSpec& spec, std::uint64_t seed) {
  std::shared_ptr<Detector> model = make_network(spec);
  set_initial_values(*model, seed);
  return model;
}

at::Tensor normalise(const at::Tensor& rgb, const ModelSpec& spec) {
  const bool single = rgb.dim() == 3;
  if ((!single && rgb.dim() != 4) || rgb.size(-1) != 3 || rgb.scalar_type() != at::kByte)
    throw Error("expected (B,H,W,3) or (H,W,3) uint8 pixels", "normalise");
  const at::Tensor pixels = (single ? rgb.unsqueeze(0) : rgb).permute({0, 3, 1, 2});
  const auto per_channel = [&](const std::array<float, 3>& values) {
    return at::tensor(at::ArrayRef<float>(values.data(), values.size()), at::kFloat)
        .to(rgb.device())
        .view({1, 3, 1, 1});
  };
  return pixels.to(at::kFloat, false, false, at::MemoryFormat::Contiguous)
      .sub_(per_channel(spec.mean))
      .div_(per_channel(spec.std));
}

}  // namespace conclave
