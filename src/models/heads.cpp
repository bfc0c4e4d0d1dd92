#include "models/heads.h"

#include <torch/nn/modules/conv.h>
#include <torch/utils.h>

namespace conclave {
namespace {

namespace nn = torch::nn;

class ConvHead : public Head {
 public:
  ConvHead(const Features& input, int hidden_channels, int outputs) {
    hidden_ = register_module("0", nn::Conv2d(nn::Conv2dOptions(input.channels, hidden_channels, 3).padding(1)));
    output_ = register_module("2", nn::Conv2d(nn::Conv2dOptions(hidden_channels, outputs, 1)));
  }

  at::Tensor forward(const at::Tensor& features) override { return output_(hidden_(features).relu_()); }

 private:
  nn::Conv2d hidden_ = nullptr, output_ = nullptr;
};

}  // namespace

std::shared_ptr<Head> make_head(const Features& input, int hidden_channels, int outputs) {
  return std::make_shared<ConvHead>(input, hidden_channels, outputs);
}

}  // namespace conclave
