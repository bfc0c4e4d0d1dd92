#include "core/nearest.h"

#include <gtest/gtest.h>

namespace conclave {
namespace {

const std::vector<std::string> kWords = {"train", "distill", "teach", "eval"};

TEST(Nearest, FindsAWordWithALetterMissingAddedChangedOrSwapped) {
  EXPECT_EQ(nearest("distil", kWords), "distill");
  EXPECT_EQ(nearest("trrain", kWords), "train");
  EXPECT_EQ(nearest("evel", kWords), "eval");
  EXPECT_EQ(nearest("tarin", kWords), "train");
}

TEST(Nearest, FindsNothingForAWordThatIsFarFromAll) {
  EXPECT_EQ(nearest("banana", kWords), std::nullopt);
  EXPECT_EQ(nearest("x", {}), std::nullopt);
}

TEST(Nearest, PrefersTheSmallerDistance) {
  EXPECT_EQ(nearest("teach", {"beach", "teach"}), "teach");
}

}  // namespace
}  // namespace conclave
