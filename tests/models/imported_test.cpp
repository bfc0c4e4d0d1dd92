#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "model_files.h"
#include "models/weights.h"

namespace conclave {
namespace {

// tests/golden/imported: checkpoints of networks built by the projects' own model code (centerX; CenterNet's resnet_dcn
// and msra_resnet; MMDetection's CTResNetNeck and CenterNetHead on a ResNet-18), with every number of channels divided
// by 32, random weights and random normalisation statistics; NAME.pth is what they save, NAME.safetensors what
// scripts/import_checkpoint.py makes of it, NAME.expected.safetensors the heads that their code computes from the RGB
// pixels in pixels.safetensors with their own normalisation and channel order. Computed once, with PyTorch 2.11 on a
// CPU, deformable convolutions by torchvision 0.26.
class Imported : public ::testing::TestWithParam<const char*> {};

TEST_P(Imported, GivesTheHeadsOfTheOriginal) {
  const std::string name = std::string("imported/") + GetParam();
  const LoadedDetector loaded = load_detector(golden(name + ".safetensors"));
  const TensorMap expected = golden_tensors(name + ".expected.safetensors");
  const at::NoGradGuard no_grad;
  const HeadOutputs heads = loaded.model->forward(
      normalise(golden_tensors("imported/pixels.safetensors").at("pixels"), loaded.model->spec()));
  const auto difference = [](const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); };
  EXPECT_LT(difference(heads.heat, expected.at("heat")), 1e-4);
  EXPECT_LT(difference(heads.wh, expected.at("wh")), 1e-4);
  EXPECT_LT(difference(heads.offset, expected.at("offset")), 1e-4);
  EXPECT_GT(expected.at("heat").std().item<double>(), 0.01);
}

INSTANTIATE_TEST_SUITE_P(OtherProjects, Imported,
                         ::testing::Values("centerx_dcn18", "centerx_dcn50", "centerx_dcnv118", "centerx_plain18",
                                           "centerx_plain50", "centernet_resdcn18", "centernet_resdcn50",
                                           "centernet_res18", "centernet_res50", "mmdet_dcn18", "mmdet_plain18"));

}  // namespace
}  // namespace conclave
