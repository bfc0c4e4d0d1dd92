#include "core/bounded_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace conclave {
namespace {

TEST(BoundedQueue, GivesItemsInTheOrderOfPushing) {
  BoundedQueue<std::unique_ptr<int>> queue(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.push(std::make_unique<int>(i)));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(**queue.pop(), i);
}

TEST(BoundedQueue, AfterCloseItIsDrainedAndTakesNothing) {
  BoundedQueue<int> queue(3);
  queue.push(1);
  queue.push(2);
  queue.close();
  EXPECT_FALSE(queue.push(3));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), 2);
  EXPECT_EQ(queue.pop(), std::nullopt);
  EXPECT_EQ(queue.pop(), std::nullopt);
}

TEST(BoundedQueue, NeverHoldsMoreThanItsCapacity) {
  BoundedQueue<int> queue(2);
  std::atomic<int> pushed{0}, popped{0}, most{0};
  std::thread producer([&] {
    for (int i = 0; i < 2000; ++i) {
      queue.push(i);
      ++pushed;
      const int inside = pushed - popped;  // popped is counted late, so this errs upwards by the one in hand
      if (inside > most) most = inside;
    }
    queue.close();
  });
  int expected = 0;
  while (auto item = queue.pop()) {
    EXPECT_EQ(*item, expected++);
    ++popped;
  }
  producer.join();
  EXPECT_EQ(expected, 2000);
  EXPECT_LE(most, 3);
}

TEST(BoundedQueue, APushIntoAFullQueueWaitsForAPop) {
  BoundedQueue<int> queue(1);
  queue.push(1);
  std::atomic<bool> done{false};
  std::thread producer([&] {
    queue.push(2);
    done = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_FALSE(done);
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), 2);
  producer.join();
}

TEST(BoundedQueue, CloseWakesWhoeverWaitsToPush) {
  BoundedQueue<int> queue(1);
  queue.push(1);
  std::atomic<int> refused{0};
  std::vector<std::thread> producers;
  for (int i = 0; i < 3; ++i) producers.emplace_back([&] { refused += !queue.push(2); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  queue.close();
  for (std::thread& thread : producers) thread.join();
  EXPECT_EQ(refused, 3);
}

TEST(BoundedQueue, CloseWakesWhoeverWaitsToPop) {
  BoundedQueue<int> queue(1);
  std::atomic<int> ended{0};
  std::vector<std::thread> consumers;
  for (int i = 0; i < 3; ++i) consumers.emplace_back([&] { ended += queue.pop() == std::nullopt; });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  queue.close();
  for (std::thread& thread : consumers) thread.join();
  EXPECT_EQ(ended, 3);
}

TEST(BoundedQueue, ManyThreadsLoseAndRepeatNothing) {
  BoundedQueue<int> queue(4);
  std::vector<std::atomic<int>> seen(3000);
  std::vector<std::thread> producers, consumers;
  for (int p = 0; p < 3; ++p)
    producers.emplace_back([&queue, p] {
      for (int i = 0; i < 1000; ++i) queue.push(1000 * p + i);
    });
  for (int c = 0; c < 3; ++c)
    consumers.emplace_back([&] {
      while (auto item = queue.pop()) ++seen[static_cast<std::size_t>(*item)];
    });
  for (std::thread& thread : producers) thread.join();
  queue.close();
  for (std::thread& thread : consumers) thread.join();
  for (const auto& count : seen) EXPECT_EQ(count, 1);
}

}  // namespace
}  // namespace conclave
