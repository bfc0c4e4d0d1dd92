#include "ranks/gradient_reducer.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <torch/csrc/distributed/c10d/reducer.hpp>

#include "core/log.h"

namespace conclave {
namespace {

constexpr std::size_t kFirstBucket = 1 << 20;  // bytes; small, so that summing starts early

// Sums a bucket over the ranks, as it is or as bfloat16.
class SumHook final : public c10d::CommHookInterface {
 public:
  SumHook(ProcessGroup& group, bool bf16) : group_(group), bf16_(bf16) {}

  c10::intrusive_ptr<c10::ivalue::Future> runHook(c10d::GradBucket& bucket) override {
    std::vector<at::Tensor> sent = {bf16_ ? bucket.getBuffer().to(at::kBFloat16) : bucket.getBuffer()};
    const auto work = group_.c10d()->getBackend(sent.front().device().type())->allreduce(sent);
    return group_.supervised(work, sent.front());
  }

  at::Tensor parseHookResult(const c10::IValue& result) override {
    const at::Tensor sum = c10d::detail::parseCppCommHookResult(result);
    return bf16_ ? sum.to(at::kFloat) : sum;
  }

 private:
  ProcessGroup& group_;
  const bool bf16_;
};

// The reducer says once per process that gradients in another memory format than its buckets cost a copy.
class QuietWarnings final : public c10::WarningHandler {
 public:
  void process(const c10::Warning& warning) override { log::debug("{}", warning.msg()); }
};

}  // namespace

struct GradientReducer::State {
  ProcessGroup& group;
  std::unique_ptr<c10d::Reducer> reducer;
};

GradientReducer::GradientReducer(ProcessGroup& group, const RanksOptions& options,
                                 const std::vector<at::Tensor>& parameters) {
  if (group.c10d() == nullptr) return;
  std::vector<at::Tensor> learning;
  for (const at::Tensor& parameter : parameters) {
    if (parameter.requires_grad()) learning.push_back(parameter);
  }
  const std::size_t cap = static_cast<std::size_t>(options.bucket_mb) << 20;
  auto buckets = std::get<0>(c10d::compute_bucket_assignment_by_size(learning, {kFirstBucket, cap},
                                                                     std::vector<bool>(learning.size(), false)));
  // Backward reaches the last parameters first.
  std::reverse(buckets.begin(), buckets.end());
  state_ = std::make_unique<State>(State{group, nullptr});
  state_->reducer = std::make_unique<c10d::Reducer>(
      learning, std::move(buckets), c10::intrusive_ptr<c10d::ProcessGroup>::reclaim_copy(group.c10d()),
      std::vector<bool>(learning.size(), false), static_cast<std::int64_t>(cap), /*find_unused_parameters=*/true,
      /*gradient_as_bucket_view=*/false, std::unordered_map<std::size_t, std::string>{},
      static_cast<std::int64_t>(kFirstBucket), /*skip_all_reduce_unused_params=*/false, /*use_python_reducer=*/false,
      std::vector<std::int64_t>{});
  state_->reducer->register_comm_hook(std::make_unique<SumHook>(group, options.bf16_gradients));
}

GradientReducer::~GradientReducer() = default;

void GradientReducer::before_forward() {
  if (state_) state_->reducer->prepare_for_forward();
}

void GradientReducer::backward(const at::Tensor& loss) {
  if (!state_) {
    if (loss.requires_grad()) loss.backward();
    return;
  }
  QuietWarnings quiet;
  const c10::WarningUtils::WarningHandlerGuard guard(&quiet);
  try {
    state_->reducer->prepare_for_backward({loss});
    loss.backward();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    state_->group.explain(failure);
  }
}

}  // namespace conclave
