#include "teachers/window.h"

#include <gtest/gtest.h>

#include <deque>

#include "teachers/small_world.h"

namespace conclave {
namespace {

// Answers with the view's seed as the grid's height, and watches how many views are in flight.
class Echo final : public TargetSource {
 public:
  void ask(const TargetRequest& request) override {
    asked_.push_back(request);
    most_ = std::max(most_, asked_.size());
  }
  void flush() override { ++flushes_; }
  std::vector<SoftTargets> take() override {
    SoftTargets targets;
    targets.height = static_cast<int>(asked_.front().key.seed);
    asked_.pop_front();
    return {targets};
  }
  SourceStats stats() const override { return {}; }

  std::deque<TargetRequest> asked_;
  std::size_t most_ = 0;
  int flushes_ = 0;
};

class WindowTest : public SmallWorld {};

TEST_F(WindowTest, JoinsViewsWithTheirTargetsInSamplerOrderWithinItsBound) {
  std::vector<Dataset> datasets(1);
  for (int i = 0; i < kImages; ++i) {
    ImageEntry entry;
    entry.path = image_path(i);
    entry.width = 80;
    entry.height = 60 + 4 * i;
    datasets[0].images.push_back(entry);
  }
  Loader loader(datasets, views_, 2);
  Echo source;
  std::uint64_t next = 0;
  Window window(
      datasets, loader, source,
      [&]() -> std::optional<ViewKey> {
        if (next == 23) return std::nullopt;
        ++next;
        return ViewKey{0, static_cast<std::uint32_t>(next % kImages), next};
      },
      6);
  std::uint64_t seen = 0;
  for (std::size_t expected : {4u, 4u, 4u, 4u, 4u, 3u, 0u}) {
    const std::vector<JoinedView> batch = window.take(4);
    ASSERT_EQ(batch.size(), expected);
    for (const JoinedView& joined : batch) {
      EXPECT_EQ(joined.view.key.seed, ++seen);
      ASSERT_EQ(joined.targets.size(), 1u);
      EXPECT_EQ(joined.targets[0].height, static_cast<int>(seen));
    }
  }
  EXPECT_EQ(source.most_, 6u);
  EXPECT_EQ(source.flushes_, 1);
}

}  // namespace
}  // namespace conclave
