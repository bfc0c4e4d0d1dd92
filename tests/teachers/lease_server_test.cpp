#include "teachers/lease_server.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "teachers/random_targets.h"
#include "teachers/record_writer.h"

namespace conclave {
namespace {

class LeaseServerTest : public ::testing::Test {
 protected:
  LeaseServerTest() : server_(options(), {{"car", "h", {"car"}, {}}}, ViewOptions{}, SparseOptions{}, 50) {}

  static LeaseOptions options() {
    LeaseOptions options;
    options.lease_views = 2;
    options.grid_width = options.grid_height = 8;
    options.max_lease = 5000;
    return options;
  }
  template <class F>
  void say(const std::string& peer, const F& frame) {
    server_.handle(peer, encode(frame), now_);
  }
  // What is sent to each peer.
  std::map<std::string, std::vector<Frame>> sent() {
    std::map<std::string, std::vector<Frame>> frames;
    for (const LeaseServer::Outgoing& out : server_.outgoing()) frames[out.peer].push_back(parse_frame(out.frame));
    return frames;
  }
  static Hello hello(std::uint64_t instance) { return {instance, "worker", {{"car", "h", {"car"}, {}}}}; }
  // Its session.
  std::uint64_t join(const std::string& peer, std::uint64_t instance, std::uint64_t leases = 4) {
    say(peer, hello(instance));
    const auto frames = sent()[peer];
    const std::uint64_t session = std::get<Welcome>(frames.at(0)).session;
    say(peer, Credit{session, leases, 1u << 20});
    return session;
  }
  void ask(int views) {
    for (int i = 0; i < views; ++i) server_.table().ask({{0, asked_++, 1}, "image.jpg", 10, 10});
  }
  static Result answer(std::uint64_t session, const Lease& lease) {
    Result result{session, lease.id, lease.token, {}};
    for (const TargetRequest& view : lease.views)
      result.records.push_back(write_record(random_targets(view.key.image, 8, 8, 1, 0.5)));
    return result;
  }

  TimePoint now_{Seconds(10)};
  LeaseServer server_;
  std::uint32_t asked_ = 0;
};

TEST_F(LeaseServerTest, EveryWelcomeHasASessionOfItsOwnAndOthersAreDropped) {
  const std::uint64_t first = join("a", 1);
  EXPECT_EQ(first, 50u);
  ask(2);
  server_.tick(now_);
  const Lease lease = std::get<Lease>(sent()["a"].at(0));
  EXPECT_EQ(lease.session, first);
  const std::uint64_t second = join("a", 1);
  EXPECT_NE(second, first);
  say("a", answer(first, lease));
  EXPECT_FALSE(server_.table().answered());
  server_.tick(now_);
  say("a", answer(second, std::get<Lease>(sent()["a"].at(0))));
  EXPECT_TRUE(server_.table().answered());
}

TEST_F(LeaseServerTest, OnlyFramesOfTheSessionKeepAWorkerAlive) {
  const std::uint64_t session = join("a", 1);
  for (int i = 0; i < 8; ++i) {
    now_ += Seconds(1);
    say("a", Credit{session - 1, 4, 1000});
    server_.tick(now_);
  }
  EXPECT_FALSE(server_.table().knows("a"));
  sent();
  say("a", Credit{session, 4, 1000});
  EXPECT_TRUE(std::holds_alternative<Stranger>(sent()["a"].at(0)));
}

TEST_F(LeaseServerTest, HeartbeatsTellTheLeasesSentAndTheRanks) {
  join("a", 1, 1);
  ask(4);
  server_.tick(now_);
  sent();
  server_.announce({"tcp://a:1", "tcp://b:2"});
  server_.tick(now_);
  EXPECT_EQ(std::get<Heartbeat>(sent()["a"].at(0)), (Heartbeat{50, 1, {"tcp://a:1", "tcp://b:2"}}));
  say("b", hello(2));
  EXPECT_EQ(std::get<Heartbeat>(sent()["b"].at(1)).ranks.size(), 2u);
}

TEST_F(LeaseServerTest, AnOlderWorkerIsToldInARefusal) {
  std::string old = encode(hello(1));
  old[4] = 1;
  server_.handle("a", old, now_);
  EXPECT_NE(std::get<Refusal>(sent()["a"].at(0)).reason.find("protocol version 1"), std::string::npos);
  EXPECT_FALSE(server_.table().knows("a"));
}

TEST_F(LeaseServerTest, AWorkerThatDoesNotFitIsToldWhy) {
  Hello other = hello(1);
  other.teachers[0].hash = "another";
  say("a", other);
  EXPECT_NE(std::get<Refusal>(sent()["a"].at(0)).reason.find("same file"), std::string::npos);
}

TEST_F(LeaseServerTest, AnInvalidResultDismissesItsWorker) {
  const std::uint64_t session = join("a", 1);
  ask(2);
  server_.tick(now_);
  const Lease lease = std::get<Lease>(sent()["a"].at(0));
  say("a", Result{session, lease.id, lease.token, {"x", "y"}});
  EXPECT_TRUE(std::holds_alternative<Refusal>(sent()["a"].at(0)));
  EXPECT_FALSE(server_.table().knows("a"));
}

TEST_F(LeaseServerTest, AFailureGoesToAnotherWorkerAndTheSecondEndsTheRun) {
  const std::uint64_t a = join("a", 1), b = join("b", 2);
  ask(2);
  server_.tick(now_);
  const Lease first = std::get<Lease>(sent()["a"].at(0));
  say("a", Failure{a, first.id, first.token, 0, "no such file"});
  EXPECT_FALSE(server_.failure().has_value());
  server_.tick(now_);
  const Lease second = std::get<Lease>(sent()["b"].at(0));
  EXPECT_EQ(second.id, first.id);
  say("b", Failure{b, second.id, second.token, 0, "no such file either"});
  ASSERT_TRUE(server_.failure().has_value());
}

TEST_F(LeaseServerTest, AfterCloseEverybodyIsSentAway) {
  join("a", 1);
  server_.close();
  EXPECT_TRUE(std::holds_alternative<Goodbye>(sent()["a"].at(0)));
  say("b", hello(2));
  EXPECT_TRUE(std::holds_alternative<Goodbye>(sent()["b"].at(0)));
  say("a", Goodbye{});
  EXPECT_TRUE(server_.table().peers().empty());
}

TEST_F(LeaseServerTest, WhatOnlyATrainerSaysAndGarbageChangeNothing) {
  join("a", 1);
  say("a", Stranger{});
  say("a", Welcome{});
  server_.handle("a", "garbage", now_);
  server_.handle("c", "garbage", now_);
  EXPECT_TRUE(sent().empty());
  EXPECT_TRUE(server_.table().knows("a"));
}

// Whatever targets are written, no frame of a worker needs more than the socket lets through.
TEST(LongestRecord, HoldsForGridsFullEmptyAndOfAllDensities) {
  for (const auto& [height, width] :
       std::vector<std::pair<int, int>>{{1, 1}, {8, 8}, {24, 32}, {128, 128}, {200, 300}}) {
    for (int channels : {1, 3}) {
      std::size_t most = 0;
      for (double density : {0.0, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
        most = std::max(most, write_record(random_targets(7, height, width, channels, density)).size());
      }
      const std::size_t bound = longest_record(height * width, channels);
      EXPECT_LE(most, bound) << height << "x" << width;
      if (height >= 24) {
        EXPECT_GT(most * 100, bound * 95);  // and not much more
      }
    }
  }
}

// Runs of 130 cells and gaps of 64 need two bytes each: the dearest positions for what they carry.
TEST(LongestRecord, HoldsForTheLongestForms) {
  for (const auto& [run, gap] :
       std::vector<std::pair<int, int>>{{1, 1}, {2, 1}, {130, 1}, {1, 65}, {130, 65}, {129, 1}}) {
    SoftTargets targets;
    targets.height = targets.width = 256;
    targets.channels.resize(1);
    for (int cell = 0; cell < 256 * 256; ++cell) {
      if (cell % (run + gap) >= run) continue;
      targets.channels[0].cells.push_back(static_cast<std::uint32_t>(cell));
      targets.channels[0].logits.push_back(0);
    }
    targets.box_cells = targets.channels[0].cells;
    targets.boxes.resize(targets.box_cells.size());
    EXPECT_LE(write_record(targets).size(), longest_record(256 * 256, 1)) << run << " " << gap;
  }
}

}  // namespace
}  // namespace conclave
