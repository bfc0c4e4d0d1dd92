#include "fusion/box_overlap.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "support/gradient_check.h"

namespace conclave {
namespace {

// w, h, x, y of six pairs: shifted, equal, crossed, one inside the other, apart, and wider than high.
at::Tensor predicted() {
  return at::tensor({4.0, 6.0, 0.2, 0.7, 3.0, 3.0, 0.5, 0.5, 10., 2.0, 0.9,  0.1,
                     0.5, 8.0, 0.3, 0.4, 5.0, 5.0, 4.0, 4.0, 7.0, 3.0, 0.25, 0.75},
                    at::kDouble)
      .view({6, 4});
}
at::Tensor wanted() {
  return at::tensor({5.0, 5.0, 0.4, 0.6, 3.0, 3.0, 0.5,  0.5,  2.0, 10., 0.1, 0.9,
                     6.0, 7.0, 0.5, 0.5, 2.0, 2.0, -4.0, -4.0, 6.0, 4.0, 0.5, 0.5},
                    at::kDouble)
      .view({6, 4});
}
CellBoxes boxes_of(const at::Tensor& rows) {
  return {rows.narrow(1, 0, 2), rows.narrow(1, 2, 2)};
}

// torchvision 0.26.0, torch 2.11.0, float64: generalized_box_iou_loss and complete_box_iou_loss of the same boxes as
// (x - w/2, y - h/2, x + w/2, y + h/2), and the gradient of the sum by the first predicted w and h.
TEST(BoxOverlap, ValuesMatchTorchvision) {
  const std::vector<double> giou = {0.343678163187, 0.000000011111, 1.528888888558,
                                    1.032230392112, 1.780718335894, 0.369047621389};
  const std::vector<double> ciou = {0.311929165197, 0.000000011111, 1.112044978566,
                                    0.944499674635, 1.483931946887, 0.335788697541};
  for (const auto& [kind, expected] : {std::pair{BoxLoss::kGiou, giou}, {BoxLoss::kCiou, ciou}}) {
    const at::Tensor error = overlap_error(kind, boxes_of(predicted()), boxes_of(wanted()));
    ASSERT_EQ(error.numel(), 6);
    for (int i = 0; i < 6; ++i) EXPECT_NEAR(error[i].item<double>(), expected[static_cast<std::size_t>(i)], 1e-6) << i;
  }
}

TEST(BoxOverlap, GradientOfGiouMatchesTorchvision) {
  const at::Tensor own = predicted().requires_grad_(true);
  overlap_error(BoxLoss::kGiou, boxes_of(own), boxes_of(wanted())).sum().backward();
  EXPECT_NEAR(own.grad()[0][0].item<double>(), -0.1819659130532936, 1e-7);
  EXPECT_NEAR(own.grad()[0][1].item<double>(), 0.12290262841508999, 1e-7);
  EXPECT_NEAR(own.grad()[5][0].item<double>(), 0.10468631833222854, 1e-7);
  EXPECT_NEAR(own.grad()[5][1].item<double>(), -0.23324514914411923, 1e-7);
}

TEST(BoxOverlap, GradientsMatchFiniteDifferences) {
  torch::manual_seed(2);
  const at::Tensor wh = at::rand({2, 2, 3, 4}, at::kDouble) * 6 + 1, offset = at::rand({2, 2, 3, 4}, at::kDouble);
  const CellBoxes teacher{at::rand({2, 2, 3, 4}, at::kDouble) * 6 + 1, at::rand({2, 2, 3, 4}, at::kDouble)};
  const at::Tensor weight = at::relu(at::randn({2, 3, 4}, at::kDouble));
  for (const BoxLoss kind : {BoxLoss::kGiou, BoxLoss::kCiou}) {
    expect_gradients_match(
        [&](const auto& in) {
          return (overlap_error(kind, {in[0], in[1]}, teacher) * weight).sum();
        },
        {wh, offset});
  }
}

TEST(BoxOverlap, IsFiniteForSidesOfZeroAndBelowAndForEqualBoxes) {
  for (const BoxLoss kind : {BoxLoss::kGiou, BoxLoss::kCiou}) {
    const at::Tensor wh = at::tensor({0.f, 0.f, -3.f, 2.f, 4.f, 4.f}).view({3, 2}).requires_grad_(true);
    const at::Tensor target = at::tensor({0.f, 0.f, 3.f, 2.f, 4.f, 4.f}).view({3, 2}), centre = at::full({3, 2}, 0.5f);
    const at::Tensor error = overlap_error(kind, {wh, centre}, {target, centre});
    error.sum().backward();
    EXPECT_TRUE(at::isfinite(error).all().item<bool>());
    EXPECT_TRUE(at::isfinite(wh.grad()).all().item<bool>());
    EXPECT_NEAR(error[2].item<double>(), 0, 1e-6);
  }
}

}  // namespace
}  // namespace conclave
