#include "student/sampler.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
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

// The seeds that each image, known by the last letter of its path, is shown with in `epochs` epochs.
using Seeds = std::map<std::string, std::vector<std::uint64_t>>;
Seeds seeds_of(const std::vector<Dataset>& sets, std::uint64_t seed, int per_image, std::uint64_t epochs) {
  std::vector<std::size_t> sizes;
  std::uint64_t images = 0;
  for (const Dataset& set : sets) images += sizes.emplace_back(set.images.size());
  Sampler sampler(sizes, seed, epochs * images, repeated_views(sets, per_image));
  Seeds seeds;
  for (std::uint64_t i = 0; i < epochs * images; ++i) {
    const ViewKey key = *sampler.at(i);
    const std::string& path = sets[key.dataset].images[key.image].path;
    seeds[path.substr(path.rfind('/') + 1)].push_back(key.seed);
  }
  return seeds;
}

Dataset set_of(const std::string& folder, const std::string& names) {
  Dataset set;
  for (const char name : names) set.images.push_back({folder + "/" + name, 64, 48, 0, {}});
  return set;
}

TEST(RepeatedViews, ComeBackAfterSoManyEpochsAndDifferWithinThem) {
  const Seeds seeds = seeds_of({set_of("a", "pq"), set_of("b", "rst")}, 3, 4, 12);
  std::set<std::uint64_t> different;
  for (const auto& [image, shown] : seeds) {
    ASSERT_EQ(shown.size(), 12u);
    for (std::size_t e = 4; e < 12; ++e) EXPECT_EQ(shown[e], shown[e - 4]);
    different.insert(shown.begin(), shown.end());
  }
  EXPECT_EQ(different.size(), 5u * 4);
  EXPECT_FALSE(different.contains(kPlainView));
}

TEST(RepeatedViews, AreTheSameInARunOfAnotherSeedOnOtherSetsInAnotherPlace) {
  const Seeds here = seeds_of({set_of("a", "pq"), set_of("b", "rst")}, 3, 2, 2);
  const Seeds there = seeds_of({set_of("/mnt/b", "tsr"), set_of("c", "xyz"), set_of("/mnt/a", "q")}, 99, 2, 2);
  for (const char* image : {"q", "r", "s", "t"}) EXPECT_EQ(here.at(image), there.at(image)) << image;
  EXPECT_NE(here.at("q"), there.at("x"));
}

TEST(RepeatedViews, AreTheFirstOnesOfALargerNumber) {
  const Seeds two = seeds_of({set_of("a", "pqr")}, 0, 2, 2), five = seeds_of({set_of("a", "pqr")}, 0, 5, 5);
  for (const auto& [image, shown] : two) {
    EXPECT_EQ(shown, (std::vector<std::uint64_t>{five.at(image)[0], five.at(image)[1]}));
  }
}

TEST(RepeatedViews, LeaveTheOrderOfTheImagesToTheSeed) {
  const std::vector<Dataset> sets = {set_of("a", "abcdefghijklmnopqrstuvwxyz")};
  Sampler fresh({26}, 5, 260), repeated({26}, 5, 260, repeated_views(sets, 3)),
      other({26}, 6, 260, repeated_views(sets, 3));
  int equal = 0;
  for (std::uint64_t i = 0; i < 260; ++i) {
    EXPECT_EQ(fresh.at(i)->image, repeated.at(i)->image);
    equal += other.at(i)->image == repeated.at(i)->image;
  }
  EXPECT_LT(equal, 50);
}

}  // namespace
}  // namespace conclave
