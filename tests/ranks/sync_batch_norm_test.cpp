#include "ranks/sync_batch_norm.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "models/norm.h"
#include "support/rank_processes.h"

namespace conclave {
namespace {

constexpr int kChannels = 5;

Norm2d make_norm() {
  Norm2d norm(kChannels);
  const torch::NoGradGuard no_grad;
  torch::manual_seed(4);
  norm->weight.uniform_(0.5, 2);
  norm->bias.normal_();
  return norm;
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kFloat) - b.to(at::kFloat)).abs().max().item<double>();
}

// The joined batch; rank r holds rows first[r] to first[r + 1].
struct Joined {
  at::Tensor x, dy;
  std::vector<std::int64_t> first;
};

Joined make_joined(int step, const std::vector<std::int64_t>& first) {
  torch::manual_seed(20 + static_cast<std::uint64_t>(step));
  const std::int64_t rows = first.back();
  // Channels of other means and scales, and ranks that differ.
  at::Tensor x =
      torch::randn({rows, kChannels, 6, 4}) * torch::tensor({1.f, 3.f, 0.1f, 10.f, 1.f}).view({1, -1, 1, 1}) +
      torch::tensor({0.f, 5.f, -2.f, 30.f, 1.f}).view({1, -1, 1, 1});
  x = x + torch::arange(rows).view({-1, 1, 1, 1});
  return {x, torch::randn_like(x), first};
}

void expect_as_joined(ProcessGroup& group, const std::vector<std::int64_t>& first, at::MemoryFormat format,
                      at::ScalarType type, double tolerance) {
  torch::nn::Sequential model(make_norm());
  Norm2d own = std::dynamic_pointer_cast<Norm2dImpl>(model->ptr(0));
  Norm2d whole = make_norm();
  synchronise_norms(*model, group);
  const std::int64_t begin = first[static_cast<std::size_t>(group.rank())];
  const std::int64_t rows = first[static_cast<std::size_t>(group.rank()) + 1] - begin;
  for (int step = 0; step < 3; ++step) {
    const Joined joined = make_joined(step, first);
    const at::Tensor all = joined.x.to(type).clone(format).requires_grad_(true);
    const at::Tensor part = joined.x.narrow(0, begin, rows).to(type).clone(format).requires_grad_(true);
    own->zero_grad();
    whole->zero_grad();
    const at::Tensor expected = whole(all), actual = own(part);
    EXPECT_EQ(actual.scalar_type(), type);
    EXPECT_LT(difference(actual, expected.narrow(0, begin, rows)), tolerance);
    expected.backward(joined.dy.to(type).contiguous(format));
    actual.backward(joined.dy.narrow(0, begin, rows).to(type).contiguous(format));
    EXPECT_LT(difference(part.grad(), all.grad().narrow(0, begin, rows)),
              tolerance * all.grad().abs().max().item<double>());
    const at::Tensor dw = own->weight.grad().clone(), db = own->bias.grad().clone();
    group.sum({dw, db});
    EXPECT_LT(difference(dw, whole->weight.grad()), tolerance * whole->weight.grad().abs().max().item<double>());
    EXPECT_LT(difference(db, whole->bias.grad()), tolerance * whole->bias.grad().abs().max().item<double>());
  }
  EXPECT_LT(difference(own->running_mean, whole->running_mean), 1e-5 * whole->running_mean.abs().max().item<double>());
  EXPECT_LT(difference(own->running_var, whole->running_var), 1e-5 * whole->running_var.abs().max().item<double>());
  EXPECT_EQ(own->num_batches_tracked.item<std::int64_t>(), 3);
}

TEST(SyncBatchNorm, EqualsBatchNormOverTheJoinedBatch) {
  in_ranks(2, [](ProcessGroup& group) {
    expect_as_joined(group, {0, 4, 8}, at::MemoryFormat::Contiguous, at::kFloat, 1e-5);
    expect_as_joined(group, {0, 4, 8}, at::MemoryFormat::ChannelsLast, at::kFloat, 1e-5);
  });
}

TEST(SyncBatchNorm, WeighsRanksByTheirNumberOfViews) {
  in_ranks(3, [](ProcessGroup& group) {
    expect_as_joined(group, {0, 1, 6, 8}, at::MemoryFormat::Contiguous, at::kFloat, 1e-5);
  });
}

TEST(SyncBatchNorm, TakesBfloat16AndKeepsItsStatisticsInFloat) {
  in_ranks(2, [](ProcessGroup& group) {
    expect_as_joined(group, {0, 4, 8}, at::MemoryFormat::ChannelsLast, at::kBFloat16, 3e-2);
  });
}

TEST(SyncBatchNorm, UsesTheStatisticsItHasInEvaluationMode) {
  in_ranks(2, [](ProcessGroup& group) {
    torch::nn::Sequential model(make_norm());
    synchronise_norms(*model, group);
    freeze_statistics(*model);
    const at::Tensor x = torch::randn({2, kChannels, 3, 3});
    Norm2d plain = make_norm();
    plain->eval();
    EXPECT_TRUE(at::equal(model->forward(x), plain(x)));
  });
}

TEST(SyncBatchNorm, LeavesAModelAloneInAWorldOfOne) {
  ProcessGroup group;
  torch::nn::Sequential model(make_norm());
  synchronise_norms(*model, group);
  const at::Tensor x = torch::randn({2, kChannels, 3, 3});
  EXPECT_TRUE(at::equal(model->forward(x), make_norm()(x)));
}

}  // namespace
}  // namespace conclave
