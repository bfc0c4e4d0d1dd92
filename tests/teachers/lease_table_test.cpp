#include "teachers/lease_table.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "core/random.h"
#include "teachers/random_targets.h"
#include "teachers/record_writer.h"

namespace conclave {
namespace {

constexpr int kGrid = 8;

// A table of two teachers, three views to a lease, and a small language over it.
class LeaseTableTest : public ::testing::Test {
 protected:
  LeaseTableTest() : table_(options(), {{"car", "hash-car", {"car"}, {}}, {"person", "hash-person", {"person"}, {}}}) {}

  static LeaseOptions options() {
    LeaseOptions options;
    options.lease_views = 3;
    options.lease_seconds = 10;
    options.heartbeat_seconds = 1;
    options.grid_width = options.grid_height = kGrid;
    return options;
  }

  static Hello hello_of(const std::string& teacher, std::uint64_t instance) {
    Hello hello;
    hello.instance = instance;
    hello.teacher = teacher;
    hello.hash = "hash-" + teacher;
    hello.classes = {teacher};
    hello.capacity = 2;
    hello.worker = "worker " + std::to_string(instance);
    return hello;
  }

  void ask(int views) {
    for (int i = 0; i < views; ++i) table_.ask({{0, asked_++, 1}, "image.jpg", 10, 10});
  }
  void join(const std::string& peer, const std::string& teacher, int credit = 2) {
    ASSERT_EQ(table_.hello(peer, hello_of(teacher, std::hash<std::string>()(peer)), now_), std::nullopt);
    table_.credit(peer, credit);
  }
  // What grant() hands out, by peer.
  std::map<std::string, std::vector<Lease>> grant() {
    std::map<std::string, std::vector<Lease>> leases;
    for (LeaseTable::Grant& grant : table_.grant(now_)) leases[grant.peer].push_back(grant.lease);
    return leases;
  }
  // The one answer to a view: a function of teacher and view alone.
  static SoftTargets truth(const std::string& teacher, std::uint32_t image) {
    return random_targets(mix(image, teacher.size()), kGrid, kGrid, 1, 0.3);
  }
  static Result answer(const std::string& teacher, const Lease& lease) {
    Result result{1, lease.id, lease.token, {}};
    for (const TargetRequest& view : lease.views)
      result.records.push_back(write_record(truth(teacher, view.key.image)));
    return result;
  }
  LeaseTable::Verdict give(const std::string& peer, const Result& result) {
    return table_.result(peer, result, now_).verdict;
  }
  void expect_taken(int views) {
    for (int i = 0; i < views; ++i, ++taken_) {
      ASSERT_TRUE(table_.answered()) << taken_;
      EXPECT_EQ(table_.take(), (std::vector<SoftTargets>{truth("car", taken_), truth("person", taken_)})) << taken_;
    }
  }
  void pass(double seconds) { now_ += Seconds(seconds); }

  using Verdict = LeaseTable::Verdict;
  LeaseTable table_;
  TimePoint now_{Seconds(100)};
  std::uint32_t asked_ = 0, taken_ = 0;
};

TEST_F(LeaseTableTest, ReleasesViewsInOrderWhateverTheOrderOfAnswers) {
  ask(6);
  join("c", "car");
  join("p", "person");
  auto leases = grant();
  ASSERT_EQ(leases["c"].size(), 2u);
  ASSERT_EQ(leases["p"].size(), 2u);
  EXPECT_EQ(give("p", answer("person", leases["p"][1])), Verdict::kTaken);
  EXPECT_EQ(give("c", answer("car", leases["c"][1])), Verdict::kTaken);
  EXPECT_EQ(give("c", answer("car", leases["c"][0])), Verdict::kTaken);
  EXPECT_FALSE(table_.answered());
  EXPECT_EQ(give("p", answer("person", leases["p"][0])), Verdict::kTaken);
  expect_taken(6);
  EXPECT_TRUE(table_.empty());
  EXPECT_GT(table_.bytes()[0], 0u);
}

TEST_F(LeaseTableTest, APartlyFilledLeaseGoesOutOnlyWhenFlushed) {
  ask(2);
  join("c", "car");
  EXPECT_TRUE(grant().empty());
  EXPECT_TRUE(table_.oldest_is_open());
  table_.flush();
  auto leases = grant();
  ASSERT_EQ(leases["c"].size(), 1u);
  EXPECT_EQ(leases["c"][0].views.size(), 2u);
}

TEST_F(LeaseTableTest, NeverGivesMoreThanWasAskedFor) {
  ask(30);
  join("c", "car", 1);
  EXPECT_EQ(grant()["c"].size(), 1u);
  EXPECT_TRUE(grant().empty());
  table_.credit("c", 60);  // held down to the capacity of the hello
  EXPECT_EQ(grant()["c"].size(), 2u);
}

TEST_F(LeaseTableTest, SharesLeasesAmongTheLeastBusy) {
  ask(12);
  join("c1", "car");
  join("c2", "car");
  auto leases = grant();
  EXPECT_EQ(leases["c1"].size(), 2u);
  EXPECT_EQ(leases["c2"].size(), 2u);
  EXPECT_EQ(leases["c1"][0].id, 0u);
  EXPECT_EQ(leases["c2"][0].id, 2u);
}

TEST_F(LeaseTableTest, ASilentWorkerIsDeadAndItsLeasesGoOutFirstAndWithHigherTokens) {
  ask(9);
  join("c1", "car");
  auto first = grant()["c1"];
  ASSERT_EQ(first.size(), 2u);
  pass(3);
  join("c2", "car", 0);
  pass(2.5);
  const auto lost = table_.expire(now_);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_TRUE(lost[0].dead);
  EXPECT_EQ(lost[0].leases, 2);
  EXPECT_FALSE(table_.knows("c1"));
  table_.credit("c2", 2);
  auto second = grant()["c2"];
  ASSERT_EQ(second.size(), 2u);
  EXPECT_EQ(second[0].id, first[0].id);
  EXPECT_EQ(second[1].id, first[1].id);
  EXPECT_GT(second[0].token, first[0].token);
  EXPECT_EQ(table_.reissued(), 2u);
  EXPECT_EQ(give("c1", answer("car", first[0])), Verdict::kLate);
}

TEST_F(LeaseTableTest, HeartbeatsKeepAWorkerAlive) {
  join("c", "car");
  for (int i = 0; i < 20; ++i) {
    pass(1);
    table_.heard("c", now_);
    EXPECT_TRUE(table_.expire(now_).empty());
  }
}

TEST_F(LeaseTableTest, TheFirstValidAnswerToAnOverdueLeaseWinsAndTheOtherIsDropped) {
  ask(3);
  join("c1", "car");
  join("c2", "car");
  const Lease first = grant()["c1"].at(0);
  pass(11);
  table_.heard("c1", now_);
  table_.heard("c2", now_);
  const auto overdue = table_.expire(now_);
  ASSERT_EQ(overdue.size(), 1u);
  EXPECT_FALSE(overdue[0].dead);
  auto leases = grant();
  ASSERT_EQ(leases.size(), 1u);
  const std::string second = leases.begin()->first;
  const Lease again = leases.begin()->second.at(0);
  EXPECT_GT(again.token, first.token);
  EXPECT_EQ(give("c1", answer("car", first)), Verdict::kTaken);
  EXPECT_EQ(give(second, answer("car", again)), Verdict::kLate);
  EXPECT_EQ(give("c1", answer("car", first)), Verdict::kLate);
  EXPECT_EQ(table_.late(), 2u);
}

TEST_F(LeaseTableTest, ATokenOfAnotherWorkerIsWorthNothing) {
  ask(3);
  join("c1", "car");
  join("c2", "car");
  join("p", "person", 0);
  const Lease lease = grant()["c1"].at(0);
  EXPECT_EQ(give("c2", answer("car", lease)), Verdict::kLate);
  EXPECT_EQ(give("p", answer("person", lease)), Verdict::kLate);
  Result forged = answer("car", lease);
  forged.token += 1;
  EXPECT_EQ(give("c1", forged), Verdict::kLate);
  forged.lease = ~0ull;
  EXPECT_EQ(give("c1", forged), Verdict::kLate);
  EXPECT_EQ(give("c1", answer("car", lease)), Verdict::kTaken);
}

TEST_F(LeaseTableTest, AGoodbyeHandsLeasesBackAtOnce) {
  ask(6);
  join("c1", "car");
  grant();
  EXPECT_EQ(table_.remove("c1", now_), 2);
  join("c2", "car");
  EXPECT_EQ(grant()["c2"].size(), 2u);
}

TEST_F(LeaseTableTest, ASecondHelloOfOneWorkerReplacesTheFirst) {
  ask(6);
  join("c1", "car");
  const Lease old = grant()["c1"].at(0);
  ASSERT_EQ(table_.hello("elsewhere", hello_of("car", std::hash<std::string>()("c1")), now_), std::nullopt);
  EXPECT_FALSE(table_.knows("c1"));
  EXPECT_EQ(table_.workers(0), 1);
  table_.credit("elsewhere", 2);
  EXPECT_EQ(grant()["elsewhere"].size(), 2u);
  EXPECT_EQ(give("c1", answer("car", old)), Verdict::kLate);
}

TEST_F(LeaseTableTest, AnInvalidAnswerEndsTheWorkerAndAnotherAnswers) {
  ask(3);
  std::vector<std::function<void(Result&)>> faults = {
      [](Result& r) { r.records.pop_back(); },
      [](Result& r) { r.records[1] = "nonsense"; },
      [](Result& r) { r.records[1] = write_record(random_targets(1, kGrid + 1, kGrid, 1, 0.5)); },
      [](Result& r) { r.records[2] = write_record(random_targets(1, kGrid, kGrid, 2, 0.5)); },
  };
  for (const auto& fault : faults) {
    join("bad", "car");
    Result result = answer("car", grant()["bad"].at(0));
    fault(result);
    const LeaseTable::Judgement judgement = table_.result("bad", result, now_);
    EXPECT_EQ(judgement.verdict, Verdict::kInvalid);
    EXPECT_FALSE(judgement.reason.empty());
    EXPECT_FALSE(table_.knows("bad"));
  }
  join("c", "car");
  join("p", "person");
  auto leases = grant();
  EXPECT_EQ(give("c", answer("car", leases["c"].at(0))), Verdict::kTaken);
  EXPECT_EQ(give("p", answer("person", leases["p"].at(0))), Verdict::kTaken);
  expect_taken(3);
}

TEST_F(LeaseTableTest, HellosThatDoNotFitAreRefusedWithTheReason) {
  const auto refused = [&](const std::function<void(Hello&)>& change, const std::string& word) {
    Hello hello = hello_of("car", 1);
    change(hello);
    const auto reason = table_.hello("x", hello, now_);
    ASSERT_TRUE(reason.has_value()) << word;
    EXPECT_NE(reason->find(word), std::string::npos) << *reason;
    EXPECT_FALSE(table_.knows("x"));
  };
  refused([](Hello& h) { h.teacher = "bus"; }, "bus");
  refused([](Hello& h) { h.hash = "other"; }, "same file");
  refused([](Hello& h) { h.classes = {"lorry"}; }, "lorry");
  refused([](Hello& h) { h.engine.threads = 2; }, "2 threads");
  refused([](Hello& h) { h.engine.bf16 = true; }, "bf16");
  refused([](Hello& h) { h.engine.channels_last = true; }, "channels-last");
}

TEST_F(LeaseTableTest, WithoutAKnownHashTheFirstWorkerDecides) {
  LeaseTable table(options(), {{"car", "", {"car"}, {}}});
  Hello first = hello_of("car", 1), second = hello_of("car", 2);
  second.hash = "another";
  EXPECT_EQ(table.hello("a", first, now_), std::nullopt);
  EXPECT_TRUE(table.hello("b", second, now_).has_value());
  table.remove("a", now_);
  EXPECT_TRUE(table.hello("b", second, now_).has_value());
}

TEST_F(LeaseTableTest, CountsHowLongATeacherHadNoWorkerWhileWaitedFor) {
  ask(3);
  join("p", "person");
  const Lease lease = grant()["p"].at(0);
  const TimePoint since = now_;
  pass(4);
  auto waiting = table_.waiting(since, now_);
  ASSERT_EQ(waiting.size(), 2u);
  EXPECT_EQ(waiting[0].workers, 0);
  EXPECT_DOUBLE_EQ(waiting[0].seconds, 4);
  EXPECT_EQ(waiting[1].workers, 1);
  EXPECT_EQ(give("p", answer("person", lease)), Verdict::kTaken);
  join("c", "car");
  pass(1);
  table_.remove("c", now_);
  pass(2);
  waiting = table_.waiting(since, now_);
  ASSERT_EQ(waiting.size(), 1u);
  EXPECT_EQ(waiting[0].teacher, 0);
  EXPECT_DOUBLE_EQ(waiting[0].seconds, 2);
}

TEST_F(LeaseTableTest, FailuresCountOnlyFromWhoHoldsAnUnansweredLease) {
  ask(3);
  join("c1", "car");
  join("c2", "car");
  const Lease lease = grant()["c1"].at(0);
  EXPECT_TRUE(table_.failure("c1", {1, lease.id, lease.token, "broken"}));
  EXPECT_FALSE(table_.failure("c2", {1, lease.id, lease.token, "broken"}));
  EXPECT_EQ(give("c1", answer("car", lease)), Verdict::kTaken);
  EXPECT_FALSE(table_.failure("c1", {1, lease.id, lease.token, "broken"}));
}

// Workers that come, answer late or twice, fall silent and leave, in thousands of seeded orders: every view is answered
// once, in order, with the one right answer.
TEST(LeaseTableSimulation, NothingIsLostAndNothingComesTwice) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    CounterRandom random(seed);
    LeaseOptions options;
    options.lease_views = 1 + static_cast<int>(random.below(4));
    options.lease_seconds = 3;
    options.heartbeat_seconds = 1;
    options.missed_heartbeats = 2;
    options.grid_width = options.grid_height = 4;
    LeaseTable table(options, {{"a", "h", {"x"}, {}}, {"b", "h", {"x"}, {}}});
    struct Simulated {
      std::string peer;
      std::vector<Lease> leases;
    };
    std::vector<Simulated> alive;
    std::vector<std::pair<std::string, Result>> in_flight;
    const auto truth = [](bool b, std::uint32_t image) { return random_targets(2 * image + b, 4, 4, 1, 0.5); };
    TimePoint now{Seconds(1)};
    std::uint32_t asked = 0, taken = 0, peers = 0;
    const std::uint32_t views = 40;
    for (int step = 0; taken < views; ++step) {
      ASSERT_LT(step, 20000) << seed;
      now += Seconds(random.uniform(0, 0.3));
      if (asked < views && asked - taken < 12) table.ask({{0, asked++, 1}, "i", 1, 1});
      if (asked == views) table.flush();
      if (alive.size() < 4 && random.chance(0.2)) {
        const std::string peer = (random.chance(0.5) ? "a" : "b") + std::to_string(peers++);
        Hello hello;
        hello.instance = peers;
        hello.teacher = peer.substr(0, 1);
        hello.hash = "h";
        hello.classes = {"x"};
        hello.capacity = 2;
        ASSERT_EQ(table.hello(peer, hello, now), std::nullopt);
        table.credit(peer, 2);
        alive.push_back({peer, {}});
      }
      for (Simulated& worker : alive) {
        if (random.chance(0.7)) table.heard(worker.peer, now);
        if (worker.leases.empty() || !random.chance(0.5)) continue;
        const std::size_t pick = random.below(static_cast<std::uint32_t>(worker.leases.size()));
        Result result{1, worker.leases[pick].id, worker.leases[pick].token, {}};
        for (const TargetRequest& view : worker.leases[pick].views) {
          result.records.push_back(write_record(truth(worker.peer[0] == 'b', view.key.image)));
        }
        in_flight.emplace_back(worker.peer, result);
        if (random.chance(0.1)) in_flight.emplace_back(worker.peer, result);
        worker.leases.erase(worker.leases.begin() + static_cast<std::ptrdiff_t>(pick));
        table.credit(worker.peer, 1);
      }
      if (!alive.empty() && random.chance(0.05)) {  // killed without a word, or a goodbye
        const std::size_t pick = random.below(static_cast<std::uint32_t>(alive.size()));
        if (random.chance(0.5)) table.remove(alive[pick].peer, now);
        alive.erase(alive.begin() + static_cast<std::ptrdiff_t>(pick));
      }
      if (!in_flight.empty() && random.chance(0.6)) {
        const std::size_t pick = random.below(static_cast<std::uint32_t>(in_flight.size()));
        const auto [peer, result] = in_flight[pick];
        in_flight.erase(in_flight.begin() + static_cast<std::ptrdiff_t>(pick));
        ASSERT_NE(table.result(peer, result, now).verdict, LeaseTable::Verdict::kInvalid);
      }
      table.expire(now);
      std::erase_if(alive, [&](const Simulated& worker) { return !table.knows(worker.peer); });
      for (LeaseTable::Grant& grant : table.grant(now)) {
        for (Simulated& worker : alive) {
          if (worker.peer == grant.peer) worker.leases.push_back(grant.lease);
        }
      }
      while (!table.empty() && table.answered()) {
        ASSERT_EQ(table.take(), (std::vector<SoftTargets>{truth(false, taken), truth(true, taken)})) << seed;
        ++taken;
      }
    }
    EXPECT_TRUE(table.empty());
  }
}

}  // namespace
}  // namespace conclave
