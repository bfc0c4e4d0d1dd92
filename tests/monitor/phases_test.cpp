#include "monitor/phases.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/temporary_folder.h"

namespace conclave {
namespace {

TEST(Phases, AddUpByNameAndNobodyOwnsTheTimeBetween) {
  ManualClock clock;
  Phases phases(clock);
  phases.enter("views");
  clock.advance(Seconds(2));
  phases.enter("forward");
  clock.advance(Seconds(3));
  phases.leave();
  clock.advance(Seconds(10));
  phases.enter("views");
  clock.advance(Seconds(1));
  phases.leave();
  EXPECT_DOUBLE_EQ(phases.seconds("views"), 3);
  EXPECT_DOUBLE_EQ(phases.seconds("forward"), 3);
  EXPECT_DOUBLE_EQ(phases.seconds("backward"), 0);
  ASSERT_EQ(phases.all().size(), 2u);
  EXPECT_EQ(phases.all()[0].first, "views");
}

TEST(Phases, RecordTheStepsThatWereAskedForAsATraceThatParses) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "trace.json";
  {
    ManualClock clock;
    TraceFile file(path, "rank \"1\"", 1);
    Phases phases(clock);
    phases.record(file, 2);
    for (int step = 1; step <= 4; ++step) {
      phases.at_step(step);
      phases.enter("forward");
      clock.advance(Seconds(0.25));
    }
    phases.leave();
  }
  std::ifstream in(path);
  const nlohmann::json events = nlohmann::json::parse(in);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0]["args"]["name"], "rank \"1\"");
  EXPECT_EQ(events[2]["name"], "forward");
  EXPECT_EQ(events[2]["ph"], "X");
  EXPECT_EQ(events[2]["ts"], 250000);
  EXPECT_EQ(events[2]["dur"], 250000);
  EXPECT_EQ(events[2]["pid"], 1);
  EXPECT_EQ(events[2]["args"]["step"], 2);
}

}  // namespace
}  // namespace conclave
