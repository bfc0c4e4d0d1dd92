#include "cli/predict_inputs.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

class PredictInputs : public testing::Test {
 protected:
  void add(const std::string& name) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    folder_.write(name, "x");
  }
  std::vector<std::string> names(const std::vector<std::string>& paths) const {
    std::vector<std::string> found;
    for (const PredictInput& input : find_inputs(paths, folder_ / "out")) {
      found.push_back(input.name.string() + (input.video ? " (video)" : ""));
    }
    return found;
  }
  std::string all() const { return folder_.path().string(); }

  TemporaryFolder folder_;
};

TEST_F(PredictInputs, FoldersAreSearchedWithAllBelowThem) {
  add("b.jpg");
  add("a.PNG");
  add("sub/deep/c.jpeg");
  add("sub/drive.mp4");
  add("notes.txt");
  EXPECT_EQ(names({all()}), (std::vector<std::string>{"a", "b", "sub/deep/c", "sub/drive (video)"}));
  EXPECT_EQ(names({all() + "/"}), names({all()}));
}

TEST_F(PredictInputs, EqualNamesAreToldApart) {
  add("one/x.jpg");
  add("two/x.jpg");
  add("two/x.png");
  add("two/detections.jpg");
  EXPECT_EQ(names({(folder_ / "one").string(), (folder_ / "two").string()}),
            (std::vector<std::string>{"x", "detections-2", "x-2", "x-3"}));
}

TEST_F(PredictInputs, EarlierResultsAreNotLookedAtAgain) {
  add("a.jpg");
  add("out/a.jpg");
  EXPECT_EQ(names({all()}), std::vector<std::string>{"a"});
}

TEST_F(PredictInputs, NothingToLookAtIsAnError) {
  add("notes.txt");
  EXPECT_THROW(names({all()}), Error);
  EXPECT_THROW(names({all() + "/missing.jpg"}), Error);
}

}  // namespace
}  // namespace conclave
