#include "student/sampler.h"

#include <gtest/gtest.h>

#include <set>
#include <tuple>

#include "core/error.h"

namespace conclave {
namespace {

TEST(Sampler, ShowsEveryImageOfEverySetOncePerEpoch) {
  Sampler sampler({3, 0, 5}, 7, 16);
  for (const std::uint64_t epoch : {0, 1}) {
    std::set<std::pair<std::uint32_t, std::uint32_t>> seen;
    for (std::uint64_t i = 0; i < 8; ++i) {
      const ViewKey key = *sampler.at(epoch * 8 + i);
      EXPECT_TRUE(key.dataset == 0 ? key.image < 3 : key.dataset == 2 && key.image < 5);
      seen.insert({key.dataset, key.image});
    }
    EXPECT_EQ(seen.size(), 8u);
  }
  EXPECT_FALSE(sampler.at(16).has_value());
}

TEST(Sampler, AnswersAnyPositionAlike) {
  Sampler forward({10, 4}, 3, 100), anywhere({10, 4}, 3, 100);
  std::vector<ViewKey> keys;
  for (std::uint64_t i = 0; i < 100; ++i) keys.push_back(*forward.at(i));
  for (const std::uint64_t i : {99u, 0u, 57u, 13u, 14u}) EXPECT_EQ(*anywhere.at(i), keys[i]);
}

TEST(Sampler, GivesEveryPositionItsOwnViewSeed) {
  Sampler sampler({4}, 0, 400), other({4}, 1, 400);
  std::set<std::uint64_t> seeds;
  for (std::uint64_t i = 0; i < 400; ++i) {
    seeds.insert(sampler.at(i)->seed);
    seeds.insert(other.at(i)->seed);
  }
  EXPECT_EQ(seeds.size(), 800u);
  EXPECT_FALSE(seeds.contains(kPlainView));
}

TEST(Sampler, ShufflesEpochsDifferently) {
  Sampler sampler({50}, 0, 100);
  int equal = 0;
  for (std::uint64_t i = 0; i < 50; ++i) equal += sampler.at(i)->image == sampler.at(50 + i)->image;
  EXPECT_LT(equal, 10);
}

TEST(Sampler, RefusesToSampleNothing) {
  EXPECT_THROW(Sampler({0, 0}, 0, 10), Error);
}

}  // namespace
}  // namespace conclave
