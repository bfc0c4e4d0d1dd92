#include "student/norm_statistics.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "models/weights.h"
#include "student/student_state.h"
#include "student/tiny_run.h"

namespace conclave {
namespace {

TEST(NormStatistics, AreTheMeansOverTheBatchesOfMeanAndUnbiasedVariance) {
  const TinyRun tiny;
  const auto model = make_detector(spec_of(tiny.options("unused")), 3);
  torch::manual_seed(1);
  std::vector<at::Tensor> batches;
  for (int i = 0; i < 3; ++i) batches.push_back(torch::randn({4, 3, 64, 64}) * (i + 1));
  retake_statistics(*model, 3, [&](int batch) { model->forward(batches[static_cast<std::size_t>(batch)]); });
  // The first normalisation sees the images through one convolution: an oracle without any normalisation.
  const TensorMap state = state_of(*model);
  at::Tensor mean = at::zeros({8}), variance = at::zeros({8});
  for (const at::Tensor& batch : batches) {
    const at::Tensor x = at::conv2d(batch, state.at("backbone.conv1.weight"), {}, 2, 3);
    const at::Tensor values = x.transpose(0, 1).flatten(1);
    mean += values.mean(1) / 3;
    variance += values.var(1, /*unbiased=*/true) / 3;
  }
  EXPECT_TRUE(at::allclose(state.at("backbone.bn1.running_mean"), mean, 1e-4, 1e-6));
  EXPECT_TRUE(at::allclose(state.at("backbone.bn1.running_var"), variance, 1e-4, 1e-6));
}

TEST(NormStatistics, ForgetWhatWasThereAndLeaveTheTrainingsOwnMomentum) {
  const TinyRun tiny;
  const auto model = make_detector(spec_of(tiny.options("unused")), 3), other = make_detector(model->spec(), 3);
  torch::manual_seed(1);
  const at::Tensor images = torch::randn({4, 3, 64, 64});
  {
    const at::NoGradGuard no_grad;
    for (auto& item : model->named_buffers()) {
      if (item.key().ends_with("running_mean")) item.value().fill_(1e6);
    }
  }
  for (const auto& each : {model, other}) retake_statistics(*each, 1, [&](int) { each->forward(images); });
  EXPECT_TRUE(
      at::equal(state_of(*model).at("backbone.bn1.running_mean"), state_of(*other).at("backbone.bn1.running_mean")));
  const at::Tensor before = state_of(*model).at("backbone.bn1.running_mean").clone();
  model->train();
  model->forward(images + 1);
  const at::Tensor moved = state_of(*model).at("backbone.bn1.running_mean") - before;
  retake_statistics(*other, 1, [&](int) { other->forward(images + 1); });
  const at::Tensor whole = state_of(*other).at("backbone.bn1.running_mean") - before;
  EXPECT_TRUE(at::allclose(moved, 0.1 * whole, 1e-3, 1e-5));
}

}  // namespace
}  // namespace conclave
