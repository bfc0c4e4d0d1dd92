#include "monitor/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/log.h"
#include "monitor/advice.h"
#include "monitor/status_server.h"

namespace conclave {
namespace {

using testing::HasSubstr;
using testing::Not;

RankStatus waiting_rank() {
  RankStatus status;
  status.run = "runs/a \"b\"";
  status.phase = "training";
  status.rank = 1;
  status.ranks = 2;
  status.step = 7;
  status.steps = 100;
  status.loss = 0.5;
  status.images_per_second = 30;
  status.teacher_wait = 0.5;
  status.views = 56;
  status.phases = {{"views", 1.5}, {"forward", 2.0}};
  status.teachers = {{"person", 1, 3, 1000, 40}, {"car", 2, 0, 500, 90}};
  status.workers = {{"host:1", "person", 20, 0.5, 2, 0.1}};
  return status;
}

TEST(Status, ComesBackFromItsJson) {
  const nlohmann::ordered_json json = to_json(waiting_rank());
  EXPECT_EQ(to_json(rank_status(json, "here")), json);
  EXPECT_EQ(json["teachers"][0]["waiting"], 3);
  EXPECT_EQ(json["phases"]["forward"], 2.0);
}

TEST(Status, RefusesJsonThatIsNoStatus) {
  nlohmann::ordered_json json = to_json(waiting_rank());
  json.erase("steps");
  try {
    rank_status(json, "127.0.0.1:1");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("127.0.0.1:1"));
    EXPECT_THAT(error.what(), HasSubstr("steps"));
  }
}

TEST(Prometheus, NamesEveryFamilyOnceAndEscapesLabels) {
  RankStatus status = waiting_rank();
  status.loss = std::numeric_limits<double>::quiet_NaN();
  const std::string text = to_prometheus(status);
  EXPECT_THAT(text, HasSubstr("# TYPE conclave_step gauge\nconclave_step{run=\"runs/a \\\"b\\\"\",rank=\"1\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("conclave_loss{run=\"runs/a \\\"b\\\"\",rank=\"1\"} NaN\n"));
  EXPECT_THAT(text, HasSubstr("teacher=\"car\"} 2\n"));
  EXPECT_EQ(text.find("# TYPE conclave_teacher_workers"), text.rfind("# TYPE conclave_teacher_workers"));
  EXPECT_EQ(text.back(), '\n');
}

// 30 images/s with half of the time spent waiting: 60 could be taken by each of two ranks.
TEST(Advice, SaysHowManyWorkersOfWhichTeacherEndTheWaiting) {
  const std::vector<RankStatus> ranks = {waiting_rank(), waiting_rank()};
  const std::vector<Sizing> sizes = size_workers(ranks);
  ASSERT_EQ(sizes.size(), 2u);
  EXPECT_DOUBLE_EQ(sizes[0].wanted, 120);
  EXPECT_EQ(sizes[0].enough, 2);
  EXPECT_EQ(sizes[1].enough, 1);
  const std::string text = advice(ranks);
  EXPECT_THAT(text, HasSubstr("teacher person: 1 worker at 80.0 views/s each"));
  EXPECT_THAT(text, HasSubstr("2 would end the waiting"));
  EXPECT_THAT(text, Not(HasSubstr("car")));
}

TEST(Advice, NamesTheTeachersThatHaveNoWorker) {
  RankStatus status = waiting_rank();
  status.teacher_wait = 0;
  status.teachers[1].workers = 0;
  EXPECT_THAT(advice({status}), HasSubstr("no worker for teacher car"));
  status.local = true;
  EXPECT_EQ(advice({status}), "nobody waits for teachers");
}

// A worker that needs 1/80 s a view for one teacher and 1/40 s for the other needs 3/80 s for both: 60 views/s
// take 2.25.
TEST(Advice, SharesAWorkersTimeAmongItsTeachers) {
  RankStatus status = waiting_rank();
  status.teachers = {{"person", 1, 3, 1000, 80}, {"bike", 1, 0, 10, 1000}, {"car", 1, 0, 500, 40}};
  status.workers = {
      {"host:1", "person", 20, 0.25, 2, 0.1}, {"host:2", "bike", 20, 0.02, 0, 0.1}, {"host:1", "car", 20, 0.5, 2, 0.1}};
  const std::vector<Sizing> sizes = size_workers({status});
  ASSERT_EQ(sizes.size(), 2u);
  EXPECT_EQ(sizes[0].teachers, std::vector<std::string>{"bike"});
  EXPECT_EQ(sizes[0].enough, 1);
  EXPECT_EQ(sizes[1].teachers, (std::vector<std::string>{"person", "car"}));
  EXPECT_EQ(sizes[1].workers, 1);
  EXPECT_NEAR(sizes[1].per_worker, 80.0 / 3, 1e-9);
  EXPECT_EQ(sizes[1].enough, 3);
  EXPECT_THAT(advice({status}), HasSubstr("teachers person, car: 1 worker at 26.7 views/s each"));
}

TEST(Advice, KnowsNoRateOfASharedWorkerBeforeItHasAnsweredForAll) {
  RankStatus status = waiting_rank();
  status.teachers = {{"person", 1, 3, 1000, 80}, {"car", 1, 0, 500, 0}};
  status.workers = {{"host:1", "person", 20, 0.25, 2, 0.1}, {"host:1", "car", 0, 0, 2, 0.1}};
  ASSERT_EQ(size_workers({status}).size(), 1u);
  EXPECT_EQ(size_workers({status})[0].enough, 0);
}

TEST(Advice, MissesNoWorkerWhereAStoreAnswers) {
  RankStatus status = waiting_rank();
  status.teacher_wait = 0;
  status.stored_views = 56;
  status.teachers[1].workers = 0;
  EXPECT_EQ(advice({status}), "nobody waits for teachers");
  status.teachers[1].waiting = 1;
  EXPECT_THAT(advice({status}), HasSubstr("no worker for teacher car"));
}

TEST(Advice, IsSilentWhereNobodyWaits) {
  RankStatus status = waiting_rank();
  status.teacher_wait = 0.01;
  EXPECT_EQ(advice({status}), "nobody waits for teachers");
}

TEST(StatusServer, ServesItsTwoPagesAndNothingElse) {
  int asked = 0;
  StatusServer server("127.0.0.1:0", {[] { return std::string("conclave_step 1\n"); },
                                      [&] { return "{\"asked\": " + std::to_string(++asked) + "}"; }});
  EXPECT_THAT(server.address(), Not(HasSubstr(":0")));
  EXPECT_EQ(fetch_page(server.address(), "metrics", 10), "conclave_step 1\n");
  EXPECT_EQ(fetch_page(server.address(), "status", 10), "{\"asked\": 1}");
  EXPECT_EQ(fetch_page(server.address(), "status", 10), "{\"asked\": 2}");
  EXPECT_THROW(fetch_page(server.address(), "etc/passwd", 10), Error);
  EXPECT_THROW(StatusServer(server.address(), {}), Error);  // the port is taken
  EXPECT_THROW(StatusServer("nonsense", {}), Error);
}

TEST(StatusServer, WarnsWhereOtherHostsMayRead) {
  std::ostringstream said;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(said)));
  StatusServer("127.0.0.1:0", {});
  const std::string on_loopback = said.str();
  const std::string open = StatusServer("0.0.0.0:0", {}).address();
  spdlog::set_default_logger(before);
  EXPECT_EQ(on_loopback, "");
  EXPECT_THAT(said.str(), HasSubstr(open + " show names"));
}

TEST(StatusServer, AnswersNobodyOnceItIsGone) {
  std::string address;
  {
    StatusServer server("127.0.0.1:0", {[] { return ""; }, [] { return ""; }});
    address = server.address();
  }
  EXPECT_THROW(fetch_page(address, "status", 2), Error);
}

}  // namespace
}  // namespace conclave
