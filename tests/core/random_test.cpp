#include "core/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <set>

namespace conclave {
namespace {

// The known answers of Random123 1.14 (tests/kat_vectors, philox4x32 10).
TEST(Philox, GivesTheKnownAnswersOfRandom123) {
  using Block = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(CounterRandom, IsPhiloxOfACounterWithTheSeedAsKeyAndTheStreamAbove) {
  CounterRandom random(0x299f31d0a4093822u, 0x0370734413198a2eu);
  for (std::uint32_t block = 0; block < 3; ++block) {
    const auto expected = philox4x32({block, 0, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0});
    for (std::uint32_t word : expected) EXPECT_EQ(random.next(), word);
  }
}

TEST(CounterRandom, SeedsAndStreamsGiveDifferentNumbers) {
  std::set<std::uint32_t> firsts;
  for (std::uint64_t seed = 0; seed < 30; ++seed)
    for (std::uint64_t stream = 0; stream < 30; ++stream) firsts.insert(CounterRandom(seed, stream).next());
  EXPECT_EQ(firsts.size(), 900u);
}

TEST(CounterRandom, UniformHasTheMomentsOfAUniformNumber) {
  CounterRandom random(1);
  double sum = 0, squares = 0;
  const int n = 100000;
  for (int i = 0; i < n; ++i) {
    const double u = random.uniform();
    ASSERT_TRUE(u >= 0 && u < 1);
    sum += u, squares += u * u;
  }
  EXPECT_NEAR(sum / n, 0.5, 0.005);
  EXPECT_NEAR(squares / n, 1.0 / 3, 0.005);
}

TEST(CounterRandom, UniformBetweenTwoBoundsNeverReachesTheUpperOne) {
  CounterRandom random(2);
  const double high = std::nextafter(1.0, 2.0);  // only one number fits
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(random.uniform(1.0, high), 1.0);
  for (int i = 0; i < 1000; ++i) {
    const double u = random.uniform(-3, -2);
    ASSERT_TRUE(u >= -3 && u < -2);
  }
}

TEST(CounterRandom, NormalHasMeanZeroAndDeviationOne) {
  CounterRandom random(3);
  double sum = 0, squares = 0, cubes = 0, fourths = 0;
  const int n = 100000;
  for (int i = 0; i < n; ++i) {
    const double x = random.normal();
    sum += x, squares += x * x, cubes += x * x * x, fourths += x * x * x * x;
  }
  EXPECT_NEAR(sum / n, 0, 0.015);
  EXPECT_NEAR(squares / n, 1, 0.02);
  EXPECT_NEAR(cubes / n, 0, 0.05);
  EXPECT_NEAR(fourths / n, 3, 0.15);
}

TEST(CounterRandom, BelowIsUniformForNumbersThatAreNoPowersOfTwo) {
  CounterRandom random(4);
  int counts[7] = {};
  for (int i = 0; i < 70000; ++i) ++counts[random.below(7)];
  for (int count : counts) EXPECT_NEAR(count, 10000, 400);
  EXPECT_EQ(random.below(1), 0u);
}

// Of 3 * 2^30 values a plain multiplication would give every third twice as often.
TEST(CounterRandom, BelowHasNoBiasForLargeBounds) {
  CounterRandom random(5);
  int thirds[3] = {};
  for (int i = 0; i < 60000; ++i) ++thirds[random.below(3u << 30) % 3];
  for (int count : thirds) EXPECT_NEAR(count, 20000, 600);
}

TEST(CounterRandom, ChanceFollowsItsProbability) {
  CounterRandom random(6);
  int hits = 0;
  for (int i = 0; i < 50000; ++i) {
    hits += random.chance(0.2);
    ASSERT_FALSE(random.chance(0));
    ASSERT_TRUE(random.chance(1));
  }
  EXPECT_NEAR(hits, 10000, 400);
}

TEST(Permutation, HoldsEveryNumberOnceInAnOrderThatTheSeedDecides) {
  std::vector<std::uint32_t> order = permutation(1000, 9);
  EXPECT_EQ(order, permutation(1000, 9));
  EXPECT_NE(order, permutation(1000, 10));
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (std::uint32_t i = 0; i < order.size(); ++i) ASSERT_EQ(order[i], i);
  EXPECT_TRUE(permutation(0, 1).empty());
  EXPECT_EQ(permutation(1, 1), std::vector<std::uint32_t>{0});
}

TEST(Permutation, EveryOrderOfThreeIsEquallyLikely) {
  std::map<std::vector<std::uint32_t>, int> counts;
  for (std::uint64_t seed = 0; seed < 12000; ++seed) ++counts[permutation(3, seed)];
  ASSERT_EQ(counts.size(), 6u);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, 2000, 200);
}

TEST(RandomNumber, IsAnotherEveryTime) {
  EXPECT_NE(random_number(), random_number());
}

TEST(Mix, DependsOnBothWordsAndTheirOrder) {
  EXPECT_EQ(mix(1, 2), mix(1, 2));
  EXPECT_NE(mix(1, 2), mix(2, 1));
  std::set<std::uint64_t> seen;
  for (std::uint64_t a = 0; a < 100; ++a)
    for (std::uint64_t b = 0; b < 100; ++b) seen.insert(mix(a, b));
  EXPECT_EQ(seen.size(), 10000u);
}

TEST(Mix, AFlippedBitFlipsHalfOfTheResult) {
  double flipped = 0;
  for (int bit = 0; bit < 64; ++bit) {
    flipped += std::popcount(mix(5, 6) ^ mix(5 ^ (std::uint64_t{1} << bit), 6));
    flipped += std::popcount(mix(5, 6) ^ mix(5, 6 ^ (std::uint64_t{1} << bit)));
  }
  EXPECT_NEAR(flipped / 128, 32, 2);
}

}  // namespace
}  // namespace conclave
