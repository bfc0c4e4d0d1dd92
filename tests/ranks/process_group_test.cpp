#include "ranks/process_group.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "support/rank_processes.h"

namespace conclave {
namespace {

TEST(ProcessGroup, DoesNothingInAWorldOfOne) {
  ProcessGroup group;
  const at::Tensor tensor = at::ones({3});
  group.sum({tensor});
  group.broadcast({tensor});
  EXPECT_TRUE(at::equal(tensor, at::ones({3})));
  EXPECT_TRUE(at::equal(group.gather(tensor), at::ones({1, 3})));
  EXPECT_EQ(group.broadcast("text"), "text");
  EXPECT_EQ(group.gather("text"), std::vector<std::string>{"text"});
  EXPECT_NO_THROW(group.together([] {}));
  EXPECT_THROW(group.together([] { throw Error("no"); }), Error);
  EXPECT_EQ(group.c10d(), nullptr);
  EXPECT_TRUE(group.writes());
  group.finish();
}

TEST(ProcessGroup, SumsGathersAndBroadcasts) {
  in_ranks(3, [](ProcessGroup& group) {
    const int rank = group.rank();
    const at::Tensor a = at::full({2}, rank + 1.0f), b = at::full({2, 3}, 10.0f * static_cast<float>(rank));
    group.sum({a, b});
    EXPECT_TRUE(at::equal(a, at::full({2}, 6.0f)));
    EXPECT_TRUE(at::equal(b, at::full({2, 3}, 30.0f)));

    EXPECT_TRUE(at::equal(group.gather(at::full({2}, rank, at::kLong)), at::arange(3).unsqueeze(1).expand({3, 2})));

    at::Tensor kernel = at::full({4, 3, 2, 2}, rank).to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor counter = at::full({}, rank, at::kLong);
    group.broadcast({kernel, counter});
    EXPECT_EQ(kernel.abs().max().item<float>(), 0);
    EXPECT_EQ(counter.item<std::int64_t>(), 0);

    EXPECT_EQ(group.broadcast(rank == 0 ? std::string(70000, 'x') : "other"), std::string(70000, 'x'));
    const auto texts = group.gather(std::string(static_cast<std::size_t>(rank) * 5, static_cast<char>('a' + rank)));
    if (rank == 0) {
      EXPECT_EQ(texts, (std::vector<std::string>{"", "bbbbb", "cccccccccc"}));
    } else {
      EXPECT_TRUE(texts.empty());
    }
  });
}

TEST(ProcessGroup, LetsAllRanksGiveUpWhenOneDoes) {
  if (RankProcesses::inside()) {
    run_as_rank(
        [](ProcessGroup& group) {
          group.together([] {});
          group.together([&] {
            if (group.rank() == 1) throw Error("the disk is full", "rank one", {}, Exit::kStalled);
          });
        },
        {});
  }
  RankProcesses ranks(2);
  EXPECT_EQ(ranks.wait(), (std::vector<int>{3, 3}));
  EXPECT_NE(ranks.said(0).find("rank 1: rank one: the disk is full"), std::string::npos) << ranks.said(0);
  EXPECT_EQ(ranks.said(1).find("rank 1:"), std::string::npos) << "its own error, as it was";
}

constexpr int kLost = static_cast<int>(Exit::kRankLost);

TEST(ProcessGroup, NamesTheRankThatWasKilledWhileTheOthersWaitForIt) {
  if (RankProcesses::inside()) {
    run_as_rank(
        [](ProcessGroup& group) {
          if (group.rank() == 1) std::raise(SIGKILL);
          group.sum({at::ones({4})});
        },
        {});
  }
  RankProcesses ranks(3);
  EXPECT_EQ(ranks.wait(), (std::vector<int>{kLost, -SIGKILL, kLost}));
  for (const int rank : {0, 2}) {
    EXPECT_NE(ranks.said(rank).find("rank 1 died"), std::string::npos) << ranks.said(rank);
    EXPECT_NE(ranks.said(rank).find("--resume"), std::string::npos) << ranks.said(rank);
  }
}

TEST(ProcessGroup, NamesRankZeroWhenItWasKilled) {
  if (RankProcesses::inside()) {
    run_as_rank(
        [](ProcessGroup& group) {
          if (group.rank() == 0) std::raise(SIGKILL);
          group.sum({at::ones({4})});
        },
        {});
  }
  RankProcesses ranks(2);
  EXPECT_EQ(ranks.wait(), (std::vector<int>{-SIGKILL, kLost}));
  EXPECT_NE(ranks.said(1).find("rank 0 died"), std::string::npos) << ranks.said(1);
}

TEST(ProcessGroup, NamesTheRankThatHangsWhileTheOthersWaitForIt) {
  RanksOptions options;
  options.heartbeat_seconds = 0.2;
  options.lost_seconds = 2;
  if (RankProcesses::inside()) {
    run_as_rank(
        [](ProcessGroup& group) {
          if (group.rank() == 1) std::raise(SIGSTOP);  // connections stay open, nothing moves
          group.sum({at::ones({4})});
        },
        options);
  }
  RankProcesses ranks(3);
  // Wait for the others first: rank 1 never ends by itself.
  for (const int rank : {0, 2}) {
    int status = 0;
    ::waitpid(ranks.pid(rank), &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), kLost);
    EXPECT_NE(ranks.said(rank).find("rank 1 hangs"), std::string::npos) << ranks.said(rank);
  }
  ::kill(ranks.pid(1), SIGKILL);
  ::waitpid(ranks.pid(1), nullptr, 0);
}

TEST(ProcessGroup, TellsTheOthersWhyARankLeft) {
  if (RankProcesses::inside()) {
    run_as_rank(
        [](ProcessGroup& group) {
          if (group.rank() == 1) throw Error("out of patience", "here");
          group.sum({at::ones({4})});
        },
        {});
  }
  RankProcesses ranks(2);
  EXPECT_EQ(ranks.wait(), (std::vector<int>{kLost, 1}));
  EXPECT_NE(ranks.said(0).find("rank 1 left: here: out of patience"), std::string::npos) << ranks.said(0);
}

TEST(ProcessGroup, LetsRanksEndAtAnyTimeAfterFinish) {
  in_ranks(3, [](ProcessGroup& group) {
    group.finish();
    std::this_thread::sleep_for(std::chrono::milliseconds(300 * (2 - group.rank())));
    std::_Exit(0);
  });
}

TEST(ProcessGroup, GivesUpWhenARankNeverStarts) {
  RanksOptions options;
  options.start_seconds = 2;
  if (RankProcesses::inside()) {
    if (std::string(std::getenv("RANK")) == "1") std::_Exit(0);
    run_as_rank([](ProcessGroup&) {}, options);
  }
  RankProcesses ranks(2);
  const std::vector<int> codes = ranks.wait();
  EXPECT_NE(codes[0], 0);
  EXPECT_NE(ranks.said(0).find("rank 1 did not start"), std::string::npos) << ranks.said(0);
}

}  // namespace
}  // namespace conclave
