#include "jobs/image_changes.h"

#include <gtest/gtest.h>

namespace conclave {
namespace {

using Scores = std::map<std::int64_t, double>;

std::vector<std::int64_t> ids(const std::vector<ImageChange>& changes) {
  std::vector<std::int64_t> out;
  for (const ImageChange& change : changes) out.push_back(change.image);
  return out;
}

TEST(MeanImageF1, KeepsImagesThatAllRunsHave) {
  const Scores a = {{1, 0.2}, {2, 0.5}}, b = {{1, 0.4}, {3, 1}};
  const Scores means = mean_image_f1({&a, &b});
  ASSERT_EQ(means.size(), 1u);
  EXPECT_DOUBLE_EQ(means.at(1), 0.3);
  EXPECT_TRUE(mean_image_f1({}).empty());
}

TEST(LargestChanges, TakeTheLargestGainAndLossOfEveryMethodFirst) {
  const MethodImages base{"pseudo", {{1, 0.5}, {2, 0.5}, {3, 0.5}, {4, 0.5}}};
  const MethodImages kd{"kd", {{1, 0.9}, {2, 0.8}, {3, 0.45}, {4, 0.5}}};
  const MethodImages labels{"labels", {{1, 1.0}, {2, 0.6}, {3, 0.5}}};
  const auto changes = largest_changes(base, {kd, labels}, 3);
  EXPECT_EQ(ids(changes), (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(changes[0].method, "kd") << "image 1 is shown once, for the method that comes first";
  EXPECT_EQ(changes[1].method, "labels");
  EXPECT_EQ(changes[2].method, "kd") << "a loss, though the gain on image 2 is larger";
  EXPECT_EQ(changes[2].baseline, 0.5);
  EXPECT_EQ(largest_changes(base, {kd, labels}, 1).size(), 1u);
}

TEST(LargestChanges, AreNoneWhereNothingDiffers) {
  const MethodImages base{"pseudo", {{1, 0.5}}};
  EXPECT_TRUE(largest_changes(base, {base}, 5).empty());
  EXPECT_TRUE(largest_changes({}, {base}, 5).empty());
}

}  // namespace
}  // namespace conclave
