#include "student/write_behind.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <vector>

#include "core/error.h"

namespace conclave {
namespace {

TEST(WriteBehind, ReturnsWhileTheJobRuns) {
  WriteBehind writer;
  std::promise<void> gate;
  std::atomic<bool> done = false;
  writer.start([&] {
    gate.get_future().wait();
    done = true;
  });
  EXPECT_FALSE(done);  // start() came back, the job still waits for us
  gate.set_value();
  writer.finish();
  EXPECT_TRUE(done);
}

TEST(WriteBehind, KeepsTheOrder) {
  std::vector<int> order;
  {
    WriteBehind writer;
    for (int i = 0; i < 50; ++i) writer.start([&order, i] { order.push_back(i); });
  }
  ASSERT_EQ(order.size(), 50u);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(WriteBehind, TellsOfAFailureBeforeTheNextJob) {
  WriteBehind writer;
  writer.check();
  writer.start([] { throw Error("no room", "disk"); });
  bool told = false;
  while (!told) {
    try {
      writer.check();
    } catch (const Error&) {
      told = true;
    }
  }
  writer.check();
  writer.finish();
}

TEST(WriteBehind, ThrowsAFailureOnceAtTheNextCall) {
  WriteBehind writer;
  writer.start([] { throw Error("no room", "disk"); });
  bool ran = false;
  EXPECT_THROW(writer.start([&] { ran = true; }), Error);
  writer.finish();
  EXPECT_FALSE(ran);
  writer.start([&] { ran = true; });
  writer.finish();
  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace conclave
