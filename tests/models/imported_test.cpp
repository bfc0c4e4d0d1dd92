#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <utility>

#include "model_files.h"
#include "models/weights.h"

namespace conclave {
namespace {

// tests/golden/imported: checkpoints of networks built by the projects' own model code (centerX; CenterNet's resnet_dcn
// and msra_resnet; MMDetection's CTResNetNeck and CenterNetHead on a ResNet-18), with every number of channels divided
// by 32, random weights and random normalisation statistics; NAME.pth is what they save, NAME.safetensors what
// scripts/import_checkpoint.py makes of it, NAME.expected.safetensors the heads that their code computes from the RGB
// pixels in pixels.safetensors with their own normalisation and channel order. Computed once, with PyTorch 2.11 on a
// CPU; torchvision 0.26 takes the place of the projects' compiled deformable convolutions.
class Imported : public ::testing::TestWithParam<const char*> {};

TEST_P(Imported, GivesTheHeadsOfTheOriginal) {
  const std::string name = std::string("imported/") + GetParam();
  const LoadedDetector loaded = load_detector(golden(name + ".safetensors"));
  const TensorMap expected = golden_tensors(name + ".expected.safetensors");
  const at::NoGradGuard no_grad;
  const HeadOutputs heads = loaded.model->forward(
      normalise(golden_tensors("imported/pixels.safetensors").at("pixels"), loaded.model->spec()));
  const auto difference = [](const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); };
  const std::pair<const char*, at::Tensor> computed[] = {
      {"heat", heads.heat}, {"wh", heads.wh}, {"offset", heads.offset}};
  for (const auto& [head, values] : computed) {
    const double largest = difference(values, expected.at(head));
    EXPECT_LT(largest, 1e-4) << head;
    // A network whose activations have died computes its last bias everywhere, and would be equal whatever is imported.
    EXPECT_GT(expected.at(head).std({2, 3}).max().item<double>(), 0.01) << head;
    std::ostringstream text;
    text << largest;
    RecordProperty(head, text.str());  // shown by --gtest_output=json
  }
}

INSTANTIATE_TEST_SUITE_P(OtherProjects, Imported,
                         ::testing::Values("centerx_dcn18", "centerx_dcn50", "centerx_dcnv118", "centerx_plain18",
                                           "centerx_plain50", "centernet_resdcn18", "centernet_resdcn50",
                                           "centernet_res18", "centernet_res50", "mmdet_dcn18", "mmdet_plain18"));

}  // namespace
}  // namespace conclave
