#include "export/cost.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "models/network.h"
#include "models/zoo.h"
#include "small_network.h"

namespace conclave {
namespace {

TEST(Cost, OfResnet18EqualsTheCountByHand) {
  ModelSpec spec;
  spec.classes = {"object"};
  const Cost cost = cost_of(*make_detector(spec), 64, 64);
  // torchvision's resnet18 has 11,689,512 parameters with its classifier of 512 x 1000 + 1000.
  const std::int64_t neck = (512 * 256 * 9 + 256 + 256 * 256 * 16 + 4 * 256) +
                            (256 * 128 * 9 + 128 + 128 * 128 * 16 + 4 * 128) +
                            (128 * 64 * 9 + 64 + 64 * 64 * 16 + 4 * 64);
  const std::int64_t heads = 3 * (64 * 64 * 9 + 64) + (64 + 2 * 64 + 2 * 64) + (1 + 2 + 2);
  EXPECT_EQ(cost.parameters, 11'689'512 - 513'000 + neck + heads);

  // Multiply-adds per layer of the backbone at 64x64: the stem; layer1 at 16x16, layer2 at 8x8, layer3 at 4x4, layer4
  // at 2x2.
  double operations = 32.0 * 32 * 64 * 3 * 49 + 4 * 16.0 * 16 * 64 * 64 * 9;
  double positions = 64;
  for (const double channels : {128.0, 256.0, 512.0}) {
    operations += positions * channels * channels * 9 * 3.5 + positions * channels * channels / 2;
    positions /= 4;
  }
  operations += 4.0 * (512 * 256 * 9 + 256 * 256 * 16) + 16.0 * (256 * 128 * 9 + 128 * 128 * 16) +
                64.0 * (128 * 64 * 9 + 64 * 64 * 16) + 256.0 * (3 * 64 * 64 * 9 + 5 * 64);
  const double norms = 32.0 * 32 * 64 + 4 * 256.0 * 64 + 5 * 64.0 * 128 + 5 * 16.0 * 256 + 5 * 4.0 * 512 +
                       256 * (4 + 16.0) + 128 * (16 + 64.0) + 64 * (64 + 256.0);
  EXPECT_NEAR(cost.gflops * 1e9, operations + 2 * norms, 0.5);
}

TEST(Cost, GrowsWithTheAreaAndLeavesTheModeAlone) {
  const auto model = small_network();
  model->train();
  const Cost small = cost_of(*model, 64, 64), large = cost_of(*model, 128, 64);
  EXPECT_NEAR(large.gflops, 2 * small.gflops, 1e-12);
  EXPECT_TRUE(model->is_training());
  EXPECT_EQ(model->named_buffers()["backbone.bn1.num_batches_tracked"].item<int>(), 0);
}

// fvcore 0.1.5 (FlopCountAnalysis, parameter count) on tests/models/pytorch_reference.py's CenterNet in eval mode, an
// image of zeros; PyTorch 2.15.
TEST(Cost, EqualsFvcoresCountOfTheSameNetworksInPyTorch) {
  struct Counted {
    Architecture architecture;
    int classes, width, height;
    std::int64_t parameters;
    double gflops;
  };
  const Architecture narrow = {.width = 16, .neck_channels = {64, 48, 32}, .skip = true, .head_channels = 32};
  const Counted table[] = {
      {{}, 1, 64, 64, 14'214'405, 0.203655168},
      {{.backbone = "resnet34"}, 1, 64, 64, 24'322'565, 0.354854912},
      {{.backbone = "resnet50"}, 1, 64, 64, 30'084'869, 0.40481792},
      {narrow, 1, 64, 64, 971'141, 0.022152192},
      {narrow, 3, 256, 192, 971'207, 0.266022912},
  };
  for (const Counted& counted : table) {
    ModelSpec spec;
    spec.architecture = counted.architecture;
    for (int c = 0; c < counted.classes; ++c) spec.classes.push_back(std::to_string(c));
    const Cost cost = cost_of(*make_network(spec), counted.width, counted.height);
    EXPECT_EQ(cost.parameters, counted.parameters) << describe(counted.architecture);
    EXPECT_NEAR(cost.gflops, counted.gflops, 1e-9 * counted.gflops) << describe(counted.architecture);
  }
}

TEST(Cost, OfADeformableNetworkIsThePlainOnesAndItsOffsets) {
  ModelSpec spec;
  spec.classes = {"cat"};
  const Cost plain = cost_of(*make_network(spec), 64, 96);
  spec.architecture.neck = "deconv_dcn";
  const Cost deformable = cost_of(*make_network(spec), 64, 96);
  EXPECT_EQ(deformable.parameters - plain.parameters, 27 * 9 * (512 + 256 + 128) + 3 * 27);
  EXPECT_NEAR(deformable.gflops - plain.gflops, 27 * 9 * (512.0 * 6 + 256.0 * 24 + 128.0 * 96) / 1e9, 1e-12);
}

TEST(ZooTable, ListsTheNetworkForSmallMachinesUnderAMillionParameters) {
  const std::vector<ZooRow> table = zoo_table(64, 64);
  ASSERT_GE(table.size(), 4u);
  EXPECT_EQ(table.front().name, "resnet18, width 64, neck deconv 256-128-64, head 64");
  EXPECT_NE(table.back().name.find("width 16"), std::string::npos);
  EXPECT_LT(table.back().cost.parameters, 1'000'000);
  EXPECT_GT(table.back().cost.parameters, 900'000);
  for (const ZooRow& row : table) EXPECT_GT(row.cost.gflops, 0) << row.name;
}

}  // namespace
}  // namespace conclave
