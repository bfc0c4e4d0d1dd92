#include "ranks/supervision.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "ranks/line_socket.h"

namespace conclave {
namespace {

constexpr double kPatience = 30;  // seconds; for a busy machine

World rank_of_three(int rank) {
  World world;
  world.rank = rank;
  world.size = 3;
  world.host = "127.0.0.1";
  return world;
}

RanksOptions quick() {
  RanksOptions options;
  options.heartbeat_seconds = 0.1;
  options.lost_seconds = 20;
  return options;
}

// Three ranks in one process.
struct Three {
  std::unique_ptr<Supervision> zero = Supervision::lead(rank_of_three(0), quick(), {});
  std::unique_ptr<Supervision> one = Supervision::follow(rank_of_three(1), quick(), zero->address(), {});
  std::unique_ptr<Supervision> two = Supervision::follow(rank_of_three(2), quick(), zero->address(), {});
};

int port_of(const std::string& address) {
  return std::atoi(address.c_str() + address.find(':') + 1);
}

TEST(Supervision, TellsEveryoneWhyARankFailed) {
  Three ranks;
  ranks.two->fail("no more\npaper");
  for (const auto* rank : {&ranks.zero, &ranks.one}) {
    EXPECT_EQ((*rank)->await_loss(kPatience), "rank 2 left: no more paper");
  }
}

TEST(Supervision, MissesNobodyWhoSaidGoodbye) {
  Three ranks;
  ranks.two.reset();
  EXPECT_EQ(ranks.zero->await_loss(1), std::nullopt);
  ranks.zero.reset();
  EXPECT_EQ(ranks.one->await_loss(1), std::nullopt);
}

TEST(Supervision, CallsBackOnceAndNamesRankZeroToo) {
  auto zero = Supervision::lead(rank_of_three(0), quick(), {});
  std::vector<std::string> losses;
  auto one = Supervision::follow(rank_of_three(1), quick(), zero->address(),
                                 [&](const std::string& what) { losses.push_back(what); });
  zero->fail("out of work");
  EXPECT_EQ(one->await_loss(kPatience), "rank 0 left: out of work");
  zero.reset();
  one.reset();  // joins its thread
  EXPECT_EQ(losses, std::vector<std::string>{"rank 0 left: out of work"});
}

TEST(Supervision, HearsNoStrangerWhoDoesNotKnowTheToken) {
  auto zero = Supervision::lead(rank_of_three(0), quick(), {});
  for (const char* line : {"hello 1234 1", "failed because I say so", "\x01\xff garbage", "lost rank 2 died"}) {
    LineSocket stranger("127.0.0.1", port_of(zero->address()), kPatience);
    stranger.send(line);
    while (stranger.open()) stranger.receive();  // it is thrown out
  }
  auto one = Supervision::follow(rank_of_three(1), quick(), zero->address(), {});
  EXPECT_EQ(zero->await_loss(0.5), std::nullopt);
  one->fail("a true one");
  EXPECT_EQ(zero->await_loss(kPatience), "rank 1 left: a true one");
}

TEST(Supervision, NamesRanksThatNeverStart) {
  RanksOptions options = quick();
  options.start_seconds = 0.2;
  const auto zero = Supervision::lead(rank_of_three(0), options, {});
  EXPECT_EQ(zero->await_loss(kPatience), "rank 1 did not start");
}

}  // namespace
}  // namespace conclave
