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

  static OfferedTeacher offer(const std::string& name) { return {name, "hash-" + name, {name}, {}}; }
  static Hello hello_of(const std::string& teacher, std::uint64_t instance) {
    return {instance, "worker " + std::to_string(instance), {offer(teacher)}};
  }

  void ask(int views) {
    for (int i = 0; i < views; ++i) table_.ask({{0, asked_++, 1}, "image.jpg", 10, 10});
  }
  void join(const std::string& peer, const std::string& teacher, int credit = 2) {
    join_as(peer, hello_of(teacher, std::hash<std::string>()(peer)), credit);
  }
  void join_as(const std::string& peer, const Hello& hello, int credit) {
    ASSERT_EQ(table_.hello(peer, hello, kSession, now_), std::nullopt);
    granted_[peer] = 0;
    allow(peer, credit);
  }
  void allow(const std::string& peer, int leases) {
    granted_[peer] += static_cast<std::uint64_t>(leases);
    table_.credit(peer, {kSession, granted_[peer], 1u << 30});
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
    Result result{kSession, lease.id, lease.token, {}};
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
  static constexpr std::uint64_t kSession = 7;
  LeaseTable table_;
  TimePoint now_{Seconds(100)};
  std::uint32_t asked_ = 0, taken_ = 0;
  std::map<std::string, std::uint64_t> granted_;
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
  allow("c", 2);
  EXPECT_EQ(grant()["c"].size(), 2u);
  table_.credit("c", {kSession, 2, 0});  // an old one: what was granted stays granted
  EXPECT_TRUE(grant().empty());
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
  allow("c2", 2);
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
  EXPECT_EQ(table_.remove("c1"), 2);
  join("c2", "car");
  EXPECT_EQ(grant()["c2"].size(), 2u);
}

TEST_F(LeaseTableTest, ASecondHelloOfOneWorkerReplacesTheFirst) {
  ask(6);
  join("c1", "car");
  const Lease old = grant()["c1"].at(0);
  ASSERT_EQ(table_.hello("elsewhere", hello_of("car", std::hash<std::string>()("c1")), kSession, now_), std::nullopt);
  EXPECT_FALSE(table_.knows("c1"));
  EXPECT_EQ(table_.workers(0), 1);
  allow("elsewhere", 2);
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
    const auto reason = table_.hello("x", hello, kSession, now_);
    ASSERT_TRUE(reason.has_value()) << word;
    EXPECT_NE(reason->find(word), std::string::npos) << *reason;
    EXPECT_FALSE(table_.knows("x"));
  };
  refused([](Hello& h) { h.teachers[0].name = "bus"; }, "bus");
  refused([](Hello& h) { h.teachers[0].hash = "other"; }, "same file");
  refused([](Hello& h) { h.teachers[0].classes = {"lorry"}; }, "lorry");
  refused([](Hello& h) { h.teachers[0].engine.threads = 2; }, "2 threads");
  refused([](Hello& h) { h.teachers[0].engine.bf16 = true; }, "bf16");
  refused([](Hello& h) { h.teachers[0].engine.channels_last = true; }, "channels-last");
}

TEST_F(LeaseTableTest, WithoutAKnownHashTheFirstWorkerDecides) {
  LeaseTable table(options(), {{"car", "", {"car"}, {}}});
  Hello first = hello_of("car", 1), second = hello_of("car", 2);
  second.teachers[0].hash = "another";
  EXPECT_EQ(table.hello("a", first, kSession, now_), std::nullopt);
  EXPECT_TRUE(table.hello("b", second, kSession, now_).has_value());
  table.remove("a");
  EXPECT_TRUE(table.hello("b", second, kSession, now_).has_value());
}

TEST_F(LeaseTableTest, CountsHowLongATeacherHasNotAnsweredWhoeverComesAndGoes) {
  ask(6);
  join("p", "person");
  const auto leases = grant()["p"];
  const TimePoint since = now_;
  pass(4);
  auto waiting = table_.waiting(since, now_);
  ASSERT_EQ(waiting.size(), 2u);
  EXPECT_EQ(waiting[0].workers, 0);
  EXPECT_DOUBLE_EQ(waiting[0].seconds, 4);
  EXPECT_EQ(waiting[1].workers, 1);
  EXPECT_EQ(give("p", answer("person", leases.at(1))), Verdict::kTaken);
  for (int i = 0; i < 5; ++i) {  // a worker that crashes and comes back proves nothing
    join("c" + std::to_string(i), "car");
    pass(1);
    table_.remove("c" + std::to_string(i));
  }
  waiting = table_.waiting(since, now_);
  ASSERT_EQ(waiting.size(), 2u);
  EXPECT_DOUBLE_EQ(waiting[0].seconds, 9);
  EXPECT_DOUBLE_EQ(waiting[1].seconds, 5);
  EXPECT_EQ(give("p", answer("person", leases.at(0))), Verdict::kTaken);
  EXPECT_EQ(table_.waiting(since, now_).size(), 1u);
}

TEST_F(LeaseTableTest, ALeaseThatOneWorkerFailsOnGoesToAnother) {
  ask(3);
  join("c1", "car");
  join("c2", "car");
  const Lease first = grant()["c1"].at(0);
  EXPECT_FALSE(table_.failure("c2", {kSession, first.id, first.token, 1, "no"}).counts);
  const LeaseTable::Setback setback = table_.failure("c1", {kSession, first.id, first.token, 1, "disk on fire"});
  EXPECT_TRUE(setback.counts);
  EXPECT_FALSE(setback.end.has_value());
  EXPECT_NE(table_.waiting(now_, now_).at(0).failure.find("disk on fire"), std::string::npos);
  auto leases = grant();
  EXPECT_FALSE(leases.contains("c1"));
  EXPECT_EQ(give("c1", answer("car", first)), Verdict::kLate);
  EXPECT_EQ(give("c2", answer("car", leases["c2"].at(0))), Verdict::kTaken);
  EXPECT_FALSE(table_.failure("c2", {kSession, first.id, leases["c2"].at(0).token, 1, "no"}).counts);
}

TEST_F(LeaseTableTest, ALeaseThatTwoWorkersFailOnEndsTheRunWithBothReasons) {
  ask(3);
  join("c1", "car");
  join("c2", "car");
  join("c3", "car");
  Lease lease = grant()["c1"].at(0);
  EXPECT_FALSE(table_.failure("c1", {kSession, lease.id, lease.token, 1, "disk on fire"}).end.has_value());
  lease = grant()["c2"].at(0);
  const auto end = table_.failure("c2", {kSession, lease.id, lease.token, 1, "no such file"}).end;
  ASSERT_TRUE(end.has_value());
  for (const char* word : {"image.jpg", "'car'", "disk on fire", "no such file"}) {
    EXPECT_NE(std::string(end->what()).find(word), std::string::npos) << end->what();
  }
}

TEST_F(LeaseTableTest, ALeaseThatTheOnlyWorkerFailsOnEndsTheRun) {
  ask(3);
  join("c", "car");
  join("p", "person");
  const Lease lease = grant()["c"].at(0);
  EXPECT_TRUE(table_.failure("c", {kSession, lease.id, lease.token, Failure::kNoView, "broken"}).end.has_value());
}

TEST_F(LeaseTableTest, ALeaseGoesOutOnlyWhenItsBytesAreGranted) {
  ask(9);
  ASSERT_EQ(table_.hello("c", hello_of("car", 1), kSession, now_), std::nullopt);
  table_.credit("c", {kSession, 8, lease_bytes(std::vector<TargetRequest>(3, {{}, "image.jpg", 10, 10})) * 2});
  const auto leases = grant()["c"];
  ASSERT_EQ(leases.size(), 2u);
  EXPECT_EQ(leases[0].number, 1u);
  EXPECT_EQ(leases[1].number, 2u);
  table_.credit("c", {kSession, 8, 1u << 20});
  EXPECT_EQ(grant()["c"].size(), 1u);
}

TEST_F(LeaseTableTest, ALeaseThatWaitsForBytesIsNotOvertakenOnItsWorker) {
  table_.ask({{0, asked_++, 1}, std::string(3000, 'l'), 10, 10});
  table_.flush();
  ask(3);
  ASSERT_EQ(table_.hello("c", hello_of("car", 1), kSession, now_), std::nullopt);
  table_.credit("c", {kSession, 8, 2000});
  EXPECT_TRUE(grant().empty());
  table_.credit("c", {kSession, 8, 6000});
  EXPECT_EQ(grant()["c"].size(), 2u);
}

TEST_F(LeaseTableTest, AWorkerOfSeveralTeachersGetsTheOldestLeasesOverAll) {
  ask(6);
  join("c", "car");
  auto leases = grant();
  EXPECT_EQ(give("c", answer("car", leases["c"].at(0))), Verdict::kTaken);
  EXPECT_EQ(give("c", answer("car", leases["c"].at(1))), Verdict::kTaken);
  ask(3);
  join_as("both", {5, "both", {offer("person"), offer("car")}}, 3);
  leases = grant();  // two of person hold the run back, then the new batch's for car
  ASSERT_EQ(leases["both"].size(), 3u);
  EXPECT_EQ(leases["both"][0].teacher, 0);
  EXPECT_EQ(leases["both"][1].teacher, 0);
  EXPECT_EQ(leases["both"][2].teacher, 1);
  EXPECT_EQ(give("both", answer("person", leases["both"][0])), Verdict::kTaken);
  EXPECT_EQ(give("both", answer("person", leases["both"][1])), Verdict::kTaken);
  EXPECT_EQ(give("both", answer("car", leases["both"][2])), Verdict::kTaken);
  expect_taken(6);
}

TEST_F(LeaseTableTest, LeasesWithImagesWaitUntilTheseAreRead) {
  LeaseOptions with_images = options();
  with_images.inline_images = true;
  LeaseTable table(with_images, {{"car", "hash-car", {"car"}, {}}});
  ASSERT_EQ(table.hello("c", hello_of("car", 1), kSession, now_), std::nullopt);
  table.credit("c", {kSession, 8, 1u << 20});
  for (std::uint32_t i = 0; i < 3; ++i) {
    TargetRequest request{{0, i, 1}, std::to_string(i) + ".jpg", 10, 10};
    if (i == 1) request.further = {{"7.jpg", 10, 10}, {"8.jpg", 10, 10}};
    table.ask(request);
  }
  EXPECT_TRUE(table.grant(now_).empty());
  const auto unread = table.unread();
  ASSERT_TRUE(unread.has_value());
  EXPECT_FALSE(table.unread().has_value());
  EXPECT_EQ(unread->paths, (std::vector<std::string>{"0.jpg", "1.jpg", "7.jpg", "8.jpg", "2.jpg"}));
  std::vector<std::shared_ptr<const std::string>> files;
  for (const char* bytes : {"zero", "one", "seven", "eight", "two"})
    files.push_back(std::make_shared<const std::string>(bytes));
  table.images(unread->batch, files);
  const auto grants = table.grant(now_);
  ASSERT_EQ(grants.size(), 1u);
  const std::vector<TargetRequest>& views = grants[0].lease.views;
  EXPECT_EQ(*views[1].image, "one");
  EXPECT_EQ(*views[1].further[0].image, "seven");
  EXPECT_EQ(*views[1].further[1].image, "eight");
  EXPECT_EQ(*views[2].image, "two");
}

TEST_F(LeaseTableTest, ImagesThatDoNotFitIntoALeaseAreNamed) {
  LeaseOptions small = options();
  small.inline_images = true;
  small.max_lease = 5000;
  LeaseTable table(small, {{"car", "hash-car", {"car"}, {}}});
  for (std::uint32_t i = 0; i < 3; ++i) table.ask({{0, i, 1}, std::to_string(i) + ".jpg", 10, 10});
  std::vector<std::shared_ptr<const std::string>> files;
  for (std::size_t size : {100, 4800, 101}) files.push_back(std::make_shared<const std::string>(size, 'x'));
  try {
    table.images(table.unread()->batch, files);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), "1.jpg");
  }
}

TEST_F(LeaseTableTest, MoreWorkersThanAllowedAreRefused) {
  LeaseOptions few = options();
  few.max_workers = 1;
  LeaseTable table(few, {{"car", "hash-car", {"car"}, {}}});
  EXPECT_EQ(table.hello("a", hello_of("car", 1), kSession, now_), std::nullopt);
  EXPECT_TRUE(table.hello("b", hello_of("car", 2), kSession, now_).has_value());
  EXPECT_EQ(table.hello("b", hello_of("car", 1), kSession, now_), std::nullopt);  // in place of the first
}

}  // namespace
}  // namespace conclave
