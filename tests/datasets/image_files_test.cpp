#include "datasets/image_files.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "datasets/dataset_folder.h"

namespace conclave {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

DatasetOptions folder_set(const std::string& images) {
  DatasetOptions options;
  options.name = "set";
  options.images = images;
  return options;
}

class ImageFiles : public testing::Test {
 protected:
  ImageFiles() {
    for (const char* name : {"pile/1.jpg", "pile/2.jpg", "pile/3.jpg"}) {
      folder_.write(name, plain_picture(32, 32, {9, 9, 9}));
    }
    std::filesystem::create_directory_symlink(folder_ / "pile", folder_ / "linked");
    std::filesystem::create_directory(folder_ / "picked");
    std::filesystem::create_symlink(folder_ / "pile/2.jpg", folder_ / "picked/a.jpg");
  }

  DatasetFolder folder_;
};

TEST_F(ImageFiles, AreThoseBehindLinksUpToTheLimit) {
  EXPECT_EQ(image_files(folder_set(folder_ / "linked")), image_files(folder_set(folder_ / "pile")));
  EXPECT_THAT(image_files(folder_set(folder_ / "picked")), ElementsAre(HasSubstr("/pile/2.jpg")));
  DatasetOptions two = folder_set(folder_ / "pile");
  two.limit = 2;
  EXPECT_THAT(image_files(two), ElementsAre(HasSubstr("/1.jpg"), HasSubstr("/2.jpg")));
}

TEST_F(ImageFiles, OfAnnotationsAreWhatTheyList) {
  DatasetOptions listed = folder_set(folder_ / "linked");
  listed.annotations = folder_.write(
      "a.json", R"({"images": [{"id": 1, "file_name": "3.jpg", "width": 32, "height": 32}], "annotations": [],)"
                R"( "categories": []})");
  EXPECT_THAT(image_files(listed), ElementsAre(HasSubstr("/pile/3.jpg")));
  listed.annotations = folder_ / "none.json";
  EXPECT_THROW(image_files(listed), Error);
  EXPECT_THROW(image_files(folder_set(folder_ / "none")), Error);
}

TEST_F(ImageFiles, SharedAreCountedOnce) {
  const Dataset pile = load_dataset(folder_set(folder_ / "pile"), {});
  const Dataset picked = load_dataset(folder_set(folder_ / "picked"), {});
  EXPECT_EQ(shared_images(pile, {picked, picked}), 1u);
  EXPECT_EQ(shared_images(picked, {pile}), 1u);
  EXPECT_EQ(shared_images(pile, {}), 0u);
}

}  // namespace
}  // namespace conclave
