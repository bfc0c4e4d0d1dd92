#include "cli/bench_measure.h"

#include <gtest/gtest.h>

#include <cstring>

namespace conclave {
namespace {

TEST(BenchMeasure, MedianAndQuartilesLieBetweenTheValues) {
  const Spread one = spread_of({3});
  EXPECT_DOUBLE_EQ(one.median, 3);
  EXPECT_DOUBLE_EQ(one.first_quartile, 3);
  const Spread four = spread_of({4, 1, 3, 2});  // numpy.percentile([1, 2, 3, 4], [25, 50, 75])
  EXPECT_DOUBLE_EQ(four.first_quartile, 1.75);
  EXPECT_DOUBLE_EQ(four.median, 2.5);
  EXPECT_DOUBLE_EQ(four.third_quartile, 3.25);
}

TEST(BenchMeasure, MemoryIsThatOfTheWorkAlone) {
  const auto touch = [](std::size_t bytes) {
    return peak_memory_of([bytes] {
      std::vector<char> memory(bytes);
      std::memset(memory.data(), 1, bytes);
      asm volatile("" : : "r"(memory.data()) : "memory");
    });
  };
  const std::int64_t little = touch(1 << 20), much = touch(100 << 20);
  EXPECT_GT(little, 0);
  EXPECT_GT(much - little, 80 << 20);
  EXPECT_LT(much - little, 130 << 20);
}

TEST(BenchMeasure, WorkThatFailsHasNoMemory) {
  EXPECT_EQ(peak_memory_of([] { throw std::runtime_error("no"); }), 0);
}

}  // namespace
}  // namespace conclave
