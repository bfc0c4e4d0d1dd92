#include "fusion/sparse.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "models/decode.h"
#include "support/target_parts.h"

namespace conclave {
namespace {

HeadOutputs random_heads(int batch, int channels, int height, int width, std::uint64_t seed, double mean = -3) {
  torch::manual_seed(seed);
  return {torch::randn({batch, channels, height, width}) * 2.5 + mean, torch::rand({batch, 2, height, width}) * 20,
          torch::rand({batch, 2, height, width})};
}

at::Tensor as_half(const at::Tensor& x) {
  return x.to(at::kHalf).to(at::kFloat);
}

DenseTargets round_trip(const HeadOutputs& heads, const SparseOptions& options) {
  std::vector<SoftTargets> views;
  for (int b = 0; b < heads.heat.size(0); ++b) views.push_back(sparsify(heads, b, options));
  std::vector<const SoftTargets*> pointers;
  for (const auto& view : views) pointers.push_back(&view);
  return densify(pointers);
}

TEST(Sparse, FloorZeroKeepsEveryCellExactToHalf) {
  const HeadOutputs heads = random_heads(2, 3, 12, 16, 1);
  const DenseTargets dense = round_trip(heads, {0.0f, BoxRule::kAbove});
  EXPECT_TRUE(at::equal(dense.heat, as_half(heads.heat)));
}

TEST(Sparse, KeepsExactlyTheCellsAboveTheFloorAndDropsTheOthersToProbabilityZero) {
  const HeadOutputs heads = random_heads(2, 2, 12, 16, 2);
  for (const float floor : {0.01f, 0.05f, 0.5f, 0.9f}) {
    const DenseTargets dense = round_trip(heads, {floor, BoxRule::kAbove});
    const at::Tensor rounded = as_half(heads.heat);
    const at::Tensor kept = rounded > std::log(floor / (1 - floor));
    EXPECT_GT(kept.sum().item<int>(), 0);
    EXPECT_TRUE(at::equal(dense.heat, at::where(kept, rounded, -std::numeric_limits<float>::infinity())));
    EXPECT_LE((at::sigmoid(dense.heat) - at::sigmoid(heads.heat)).abs().max().item<float>(), floor + 1e-3f);
  }
}

TEST(Sparse, CarriesBoxesExactlyWhereALogitIsAboveTheBoxFloor) {
  const HeadOutputs heads = random_heads(1, 2, 12, 16, 3);
  float fewest = 1e9;
  for (const float floor : {0.2f, 0.5f, 0.8f}) {
    const DenseTargets dense = round_trip(heads, {0.05f, BoxRule::kAbove, floor});
    const at::Tensor above = (as_half(heads.heat) > std::log(floor / (1 - floor))).any(1, true).to(at::kFloat);
    EXPECT_TRUE(at::equal(box_map(dense), above)) << floor;
    EXPECT_TRUE(at::equal(as_heads(dense).wh, as_half(heads.wh) * above)) << floor;
    EXPECT_TRUE(at::equal(as_heads(dense).offset, as_half(heads.offset) * above)) << floor;
    const auto count = above.sum().item<float>();
    EXPECT_GT(count, 0) << floor;
    EXPECT_LT(count, fewest) << floor;
    fewest = count;
  }
}

TEST(Sparse, AFloorOutsideZeroToOneIsAnError) {
  const HeadOutputs heads = random_heads(1, 1, 4, 4, 3);
  EXPECT_THROW(sparsify(heads, 0, {1.0f, BoxRule::kAbove, 0.5f}), Error);
  EXPECT_THROW(sparsify(heads, 0, {0.05f, BoxRule::kAbove, 1.0f}), Error);
  EXPECT_THROW(sparsify(heads, 0, {0.05f, BoxRule::kAbove, -0.1f}), Error);
}

TEST(Sparse, CarriesBoxesAtPeaksAboveTheFloor) {
  const HeadOutputs heads = random_heads(1, 2, 12, 16, 4);
  const DenseTargets dense = round_trip(heads, {0.05f, BoxRule::kPeaks});
  const at::Tensor peaks = (keep_peaks(at::sigmoid(dense.heat)) > 0).any(1, true).to(at::kFloat);
  EXPECT_GT(peaks.sum().item<float>(), 0);
  EXPECT_TRUE(at::equal(box_map(dense), peaks));
}

TEST(Sparse, AViewWithoutAnythingIsEmptyAndDensifiesToSilence) {
  HeadOutputs heads = random_heads(1, 2, 8, 8, 5);
  heads.heat = at::full({1, 2, 8, 8}, -9.0f);
  const SoftTargets view = sparsify(heads, 0, {});
  EXPECT_EQ(view.channels.size(), 2u);
  EXPECT_TRUE(view.channels[0].cells.empty() && view.box_cells.empty());
  const DenseTargets dense = densify({&view});
  EXPECT_EQ(at::sigmoid(dense.heat).sum().item<float>(), 0.0f);
  EXPECT_EQ(at::relu(dense.heat).sum().item<float>(), 0.0f);
}

TEST(Sparse, TakesTheViewThatIsAskedFor) {
  const HeadOutputs heads = random_heads(3, 1, 8, 8, 6, 0);
  const HeadOutputs second{heads.heat.narrow(0, 1, 1), heads.wh.narrow(0, 1, 1), heads.offset.narrow(0, 1, 1)};
  EXPECT_EQ(sparsify(heads, 1, {}), sparsify(second, 0, {}));
  EXPECT_FALSE(sparsify(heads, 1, {}) == sparsify(heads, 2, {}));
  EXPECT_THROW(sparsify(heads, 3, {}), Error);
}

TEST(Sparse, RefusesAHeadThatIsNotFiniteAndNamesIt) {
  for (int which = 0; which < 3; ++which) {
    HeadOutputs heads = random_heads(1, 1, 8, 8, 7);
    at::Tensor* head[] = {&heads.heat, &heads.wh, &heads.offset};
    head[which]->view(-1)[5] = which == 1 ? std::numeric_limits<float>::infinity() : std::nanf("");
    const char* names[] = {"heat", "wh", "offset"};
    try {
      sparsify(heads, 0, {});
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(names[which]), std::string::npos);
    }
  }
}

TEST(Sparse, ValuesBeyondHalfPrecisionStayFinite) {
  HeadOutputs heads = random_heads(1, 1, 8, 8, 8);
  heads.heat.view(-1)[3] = 1e6f;
  heads.wh.view(-1)[3] = 1e6f;
  const DenseTargets dense = round_trip(heads, {});
  EXPECT_EQ(dense.heat.view(-1)[3].item<float>(), 65504.0f);
  EXPECT_EQ(as_heads(dense).wh.view(-1)[3].item<float>(), 65504.0f);
}

TEST(Sparse, DensifyRefusesViewsThatDoNotFitTogetherOrLeaveTheGrid) {
  const SoftTargets good = sparsify(random_heads(1, 1, 8, 8, 9), 0, {});
  const SoftTargets wider = sparsify(random_heads(1, 1, 8, 12, 9), 0, {});
  EXPECT_THROW(densify({}), Error);
  EXPECT_THROW(densify({&good, &wider}), Error);
  SoftTargets outside = good;
  outside.channels[0].cells.push_back(64);
  outside.channels[0].logits.push_back(0);
  EXPECT_THROW(densify({&outside}), Error);
}

TEST(Sparse, DenseTargetsKeepEverythingAsItIs) {
  const HeadOutputs heads = random_heads(2, 2, 8, 8, 10);
  const DenseTargets dense = dense_targets(heads);
  EXPECT_TRUE(at::equal(dense.heat, heads.heat));
  EXPECT_TRUE(at::equal(as_heads(dense).wh, heads.wh));
  EXPECT_TRUE(at::equal(as_heads(dense).offset, heads.offset));
  EXPECT_TRUE(at::equal(dense.index, at::arange(2 * 64)));
}

}  // namespace
}  // namespace conclave
