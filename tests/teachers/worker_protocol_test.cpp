#include "teachers/worker_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "core/error.h"

namespace conclave {
namespace {

// A worker of two teachers and a small language over its protocol; what ranks say is up to the test.
class WorkerProtocolTest : public ::testing::Test {
 protected:
  static Hello hello() { return {77, "worker", {{"car", "h", {"car"}, {}}, {"person", "h", {"person"}, {}}}}; }
  static WorkerLimits limits() {
    WorkerLimits limits;
    limits.leases = 4;
    limits.bytes = 8000;
    limits.connect_timeout = 30;
    return limits;
  }
  WorkerProtocolTest() : worker_(hello(), limits(), "tcp://trainer:5000", now_) {}

  template <class F>
  void say(std::size_t rank, const F& frame) {
    worker_.receive(rank, encode(frame), now_);
  }
  void welcome(std::size_t rank, std::uint64_t session, int width = 64) {
    Welcome frame;
    frame.session = session;
    frame.max_lease = 1000;
    frame.views.width = frame.views.height = width;
    say(rank, frame);
    sessions_[rank] = session;
    leases_[rank] = 0;
  }
  void lease(std::size_t rank, std::uint64_t id, int views = 2, int teacher = 0) {
    Lease frame;
    frame.session = sessions_[rank];
    frame.number = ++leases_[rank];
    frame.id = id;
    frame.token = 100 + id;
    frame.teacher = teacher;
    frame.views.resize(static_cast<std::size_t>(views), {{0, 1, 2}, "image", 10, 10});
    say(rank, frame);
  }
  void two_ranks() {
    welcome(0, 10);
    say(0, Heartbeat{10, 0, {"tcp://0.0.0.0:5000", "tcp://0.0.0.0:5001"}});
    ASSERT_EQ(worker_.ranks(), 2u);
    welcome(1, 20);
    drain(0);
    drain(1);
  }
  // The ids of the leases of the next call.
  std::vector<std::uint64_t> next(std::size_t views = 0) {
    std::vector<std::uint64_t> ids;
    for (const TakenLease& taken : worker_.next(views)) {
      ids.push_back(taken.lease.id);
      taken_.push_back(taken);
    }
    return ids;
  }
  void answer_all() {
    for (const TakenLease& taken : std::exchange(taken_, {})) {
      LeaseAnswer answer;
      answer.rank = taken.rank;
      answer.session = taken.welcome->session;
      answer.frame = encode(Result{answer.session, taken.lease.id, taken.lease.token, {"r"}});
      answer.lease_bytes = lease_bytes(taken.lease.views);
      answer.views = taken.lease.views.size();
      worker_.answer(std::move(answer));
    }
  }
  // All that is to be sent to a rank.
  std::vector<Frame> drain(std::size_t rank) {
    std::vector<Frame> frames;
    while (const std::string* frame = worker_.outgoing(rank)) {
      frames.push_back(parse_frame(*frame));
      worker_.sent(rank);
    }
    return frames;
  }
  template <class T>
  std::vector<T> drained(std::size_t rank) {
    std::vector<T> found;
    for (const Frame& frame : drain(rank)) {
      if (const T* one = std::get_if<T>(&frame)) found.push_back(*one);
    }
    return found;
  }
  void pass(double seconds) {
    for (double gone = 0; gone < seconds; gone += 0.5) {
      now_ += Seconds(0.5);
      worker_.tick(now_);
    }
  }

  TimePoint now_{Seconds(100)};
  WorkerProtocol worker_;
  std::map<std::size_t, std::uint64_t> sessions_, leases_;
  std::vector<TakenLease> taken_;
};

using Ids = std::vector<std::uint64_t>;

TEST_F(WorkerProtocolTest, SaysHelloUntilItIsWelcomeAndGrantsThen) {
  pass(2);
  EXPECT_EQ(drained<Hello>(0).size(), 1u);  // one waits to be sent, not a pile of them
  pass(2);
  EXPECT_EQ(drained<Hello>(0).at(0), hello());
  welcome(0, 10);
  EXPECT_EQ(drained<Credit>(0).at(0), (Credit{10, 4, 8000}));
  pass(1);
  EXPECT_EQ(drained<Credit>(0).at(0), (Credit{10, 4, 8000}));  // its heartbeat
}

TEST_F(WorkerProtocolTest, GrantsAnewOnlyWhenAnAnswerHasLeft) {
  welcome(0, 10);
  drain(0);
  lease(0, 1);
  EXPECT_EQ(next(), Ids{1});
  EXPECT_TRUE(drained<Credit>(0).empty());
  answer_all();
  const std::vector<Frame> frames = drain(0);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(std::get<Result>(frames[0]).lease, 1u);
  const std::uint64_t bytes = lease_bytes(std::vector<TargetRequest>(2, {{0, 1, 2}, "image", 10, 10}));
  EXPECT_EQ(std::get<Credit>(frames[1]), (Credit{10, 5, 8000 + bytes}));
  EXPECT_EQ(worker_.views(), 2u);
}

TEST_F(WorkerProtocolTest, NeverHoldsMoreThanItGranted) {
  welcome(0, 10);
  for (std::uint64_t id = 0; id < 20; ++id) lease(0, id);
  int held = 0;
  while (!next().empty()) ++held;
  EXPECT_EQ(held, 4);
  answer_all();  // but the trainer does not read
  for (std::uint64_t id = 20; id < 40; ++id) lease(0, id);
  EXPECT_TRUE(next().empty());
}

TEST_F(WorkerProtocolTest, BytesThatWereNotGrantedAreNotTaken) {
  welcome(0, 10);
  lease(0, 1, 200);
  lease(0, 2, 200);
  EXPECT_EQ(next(), Ids{1});
  EXPECT_TRUE(next().empty());
}

TEST_F(WorkerProtocolTest, ServesRanksInTurnByViews) {
  two_ranks();
  lease(0, 1, 4);
  lease(0, 2, 4);
  lease(1, 3, 2);
  lease(1, 4, 2);
  EXPECT_EQ(next(), Ids{1});
  EXPECT_EQ(next(), Ids{3});
  EXPECT_EQ(next(), Ids{4});
  EXPECT_EQ(next(), Ids{2});
}

TEST_F(WorkerProtocolTest, ARankThatHadNothingToDoDoesNotSaveUp) {
  two_ranks();
  for (std::uint64_t id = 0; id < 10; ++id) {
    lease(0, id, 4);
    EXPECT_EQ(next(), Ids{id});
    answer_all();
    drain(0);
  }
  lease(1, 20, 4);
  lease(1, 21, 4);
  lease(0, 10, 4);
  lease(0, 11, 4);
  Ids order;
  for (int i = 0; i < 4; ++i) order.push_back(next().at(0));
  EXPECT_NE(order, (Ids{20, 21, 10, 11}));
}

TEST_F(WorkerProtocolTest, JoinsLeasesOfSeveralRanksOfOneTeacherIntoOneCall) {
  two_ranks();
  lease(0, 1);
  lease(0, 2);
  lease(1, 3);
  EXPECT_EQ(next(8), (Ids{1, 3}));
  EXPECT_EQ(next(8), Ids{2});
  answer_all();
  drain(0);
  drain(1);
  lease(0, 4, 6);
  lease(1, 5, 6);
  EXPECT_EQ(next(8).size(), 1u);  // together they have too many views
  EXPECT_EQ(next(8).size(), 1u);
  answer_all();
  drain(0);
  drain(1);
  lease(0, 6, 2, 0);
  lease(1, 7, 2, 1);
  EXPECT_EQ(next(8).size(), 1u);  // of different teachers
  EXPECT_EQ(next(8).size(), 1u);
}

TEST_F(WorkerProtocolTest, LearnsItsRanksFromTheFirstAndSharesItsCreditAmongThem) {
  two_ranks();
  EXPECT_EQ(worker_.address(1), "tcp://trainer:5001");
  welcome(0, 11);
  welcome(1, 21);
  EXPECT_EQ(drained<Credit>(0).at(0), (Credit{11, 2, 4000}));
  EXPECT_EQ(drained<Credit>(1).at(0), (Credit{21, 2, 4000}));
  say(0, Heartbeat{11, 0, {"tcp://a:1", "tcp://b:2", "tcp://c:3"}});
  EXPECT_EQ(worker_.ranks(), 3u);
  EXPECT_EQ(worker_.address(1), "tcp://b:2");
  EXPECT_FALSE(worker_.serving(1));
  say(0, Heartbeat{11, 0, {"tcp://a:1", "tcp://b:2"}});
  EXPECT_EQ(worker_.ranks(), 2u);
}

TEST_F(WorkerProtocolTest, ASilentRankDoesNotDisturbTheOthersAndIsFoundAgain) {
  two_ranks();
  lease(1, 5);
  for (int i = 0; i < 20; ++i) {
    pass(1);
    say(0, Heartbeat{10, 0, {"tcp://0.0.0.0:5000", "tcp://0.0.0.0:5001"}});
  }
  EXPECT_FALSE(worker_.serving(1));
  EXPECT_TRUE(worker_.reconnect(1));
  EXPECT_FALSE(worker_.reconnect(1));
  EXPECT_TRUE(next().empty());  // its lease is its own again
  EXPECT_TRUE(worker_.serving(0));
  drain(1);
  pass(1);
  EXPECT_EQ(drained<Hello>(1).size(), 1u);
  welcome(1, 30);
  lease(1, 6);
  EXPECT_EQ(next(), Ids{6});
}

TEST_F(WorkerProtocolTest, AnAnswerOfAnEarlierSessionIsDropped) {
  welcome(0, 10);
  lease(0, 1);
  next();
  welcome(0, 11);
  drain(0);
  answer_all();
  EXPECT_TRUE(drained<Result>(0).empty());
  Lease late;
  late.session = 10;
  late.number = 1;
  late.views.resize(1, {{0, 1, 2}, "image", 10, 10});
  say(0, late);
  EXPECT_TRUE(next().empty());
}

TEST_F(WorkerProtocolTest, ALeaseThatComesTwiceIsComputedOnceAndAMissingOneMakesItSayHelloAgain) {
  welcome(0, 10);
  lease(0, 1);
  --leases_[0];
  lease(0, 1);
  EXPECT_EQ(next(), Ids{1});
  EXPECT_TRUE(next().empty());
  ++leases_[0];  // the second never arrives
  lease(0, 3);
  EXPECT_EQ(next(), Ids{3});
  drain(0);
  for (int i = 0; i < 8; ++i) {
    pass(1);
    say(0, Heartbeat{10, 3, {}});
  }
  EXPECT_FALSE(worker_.serving(0));
  EXPECT_FALSE(worker_.reconnect(0));  // the connection is alive
}

TEST_F(WorkerProtocolTest, AWelcomeThatComesTwiceBeginsNothingAnew) {
  welcome(0, 10);
  drain(0);
  lease(0, 1);
  welcome(0, 10);
  EXPECT_TRUE(drain(0).empty());
  EXPECT_EQ(next(), Ids{1});
}

TEST_F(WorkerProtocolTest, RankZerosGoodbyeEndsTheWorkerForAllRanks) {
  two_ranks();
  say(1, Goodbye{});
  EXPECT_FALSE(worker_.leaving());
  EXPECT_EQ(drained<Goodbye>(1).size(), 1u);
  lease(0, 1);
  say(0, Goodbye{});
  EXPECT_TRUE(worker_.leaving());
  EXPECT_EQ(drained<Goodbye>(0).size(), 1u);
  EXPECT_TRUE(next().empty());
}

TEST_F(WorkerProtocolTest, ARankThatEndedIsTriedAgainWhenTheFirstBeginsAnew) {
  two_ranks();
  say(1, Goodbye{});
  welcome(0, 12);
  say(0, Heartbeat{12, 0, {"tcp://0.0.0.0:5000", "tcp://0.0.0.0:5001"}});
  drain(1);
  pass(1);
  EXPECT_EQ(drained<Hello>(1).size(), 1u);
}

TEST_F(WorkerProtocolTest, AskedToLeaveItDeliversWhatItComputesAndHandsBackTheRest) {
  two_ranks();
  lease(0, 1);
  lease(1, 2);
  lease(1, 3);
  EXPECT_EQ(next(), Ids{1});
  worker_.stop();
  EXPECT_FALSE(worker_.leaving());
  EXPECT_TRUE(next().empty());
  lease(1, 4);
  EXPECT_TRUE(next().empty());
  answer_all();
  EXPECT_TRUE(worker_.leaving());
  const std::vector<Frame> frames = drain(0);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(std::get<Result>(frames[0]).lease, 1u);
  EXPECT_TRUE(std::holds_alternative<Goodbye>(frames[1]));
  EXPECT_EQ(drained<Goodbye>(1).size(), 1u);
}

TEST_F(WorkerProtocolTest, SaysFromTimeToTimeThatNobodyAnswers) {
  std::ostringstream said;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(said)));
  pass(9);
  const std::string at_first = said.str();
  pass(12);
  const std::string later = said.str();
  welcome(0, 10);
  for (int i = 0; i < 30; ++i) {
    say(0, Heartbeat{10, 0, {}});
    pass(1);
  }
  spdlog::set_default_logger(before);
  EXPECT_EQ(at_first, "");
  EXPECT_THAT(later, testing::HasSubstr("no trainer has answered at tcp://trainer:5000 for 10 s"));
  EXPECT_THAT(later, testing::HasSubstr("for 20 s"));
  EXPECT_THAT(said.str().substr(later.size()), testing::Not(testing::HasSubstr("answered")));
}

TEST_F(WorkerProtocolTest, RefusalsOtherVersionsAndSilenceAreErrors) {
  EXPECT_THROW(say(0, Refusal{"no"}), Error);
  std::string other = encode(Heartbeat{});
  other[4] = 1;
  EXPECT_THROW(worker_.receive(0, other, now_), Error);
  worker_.receive(0, "no frame", now_);
  worker_.trouble("the key is not known");
  try {
    pass(31);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), "tcp://trainer:5000");
    EXPECT_EQ(error.hint(), "the key is not known");
  }
}

}  // namespace
}  // namespace conclave
