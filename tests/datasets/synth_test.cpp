#include "datasets/synth.h"

#include <gmock/gmock.h>

#include <array>

#include "dataset_folder.h"
#include "datasets/coco_file.h"

namespace conclave {
namespace {

using ::testing::HasSubstr;

class SynthTest : public ::testing::Test {
 protected:
  StreetOptions options(const std::string& name, int images = 6) const {
    StreetOptions options;
    options.folder = folder_ / name;
    options.images = images;
    options.width = 160;
    options.height = 128;
    return options;
  }
  Dataset load(const std::string& name) const {
    DatasetOptions from;
    from.name = name;
    from.images = folder_ / (name + "/images");
    from.annotations = folder_ / (name + "/annotations.json");
    from.all_labelled = true;
    return load_dataset(from, street_classes());
  }
  std::string image(const std::string& name, int i) const {
    return read_file(folder_ / (name + "/images/00000" + std::to_string(i) + ".jpg"));
  }
  DatasetFolder folder_;
};

TEST_F(SynthTest, EqualOptionsGiveEqualBytesAndOtherSeedsOthers) {
  StreetOptions other = options("other");
  other.seed = 2;
  make_street_set(options("one"));
  make_street_set(options("two"));
  make_street_set(other);
  EXPECT_EQ(read_file(folder_ / "one/annotations.json"), read_file(folder_ / "two/annotations.json"));
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(image("one", i), image("two", i));
    EXPECT_NE(image("one", i), image("other", i));
    EXPECT_NE(image("one", i), image("one", (i + 1) % 6));
  }
}

TEST_F(SynthTest, ALabelledSubsetChangesTheBoxesAndNotTheImages) {
  StreetOptions cars = options("cars", 10);
  cars.labelled = {"car"};
  make_street_set(options("all", 10));
  make_street_set(cars);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(image("all", i), image("cars", i));
  const CocoFile file = read_coco(folder_ / "cars/annotations.json");
  ASSERT_EQ(file.categories.size(), 1u);
  EXPECT_EQ(file.categories[0].name, "car");
  const Dataset all = load("all"), some = load("cars");
  EXPECT_TRUE(all.labelled[0] && all.labelled[1]);
  EXPECT_FALSE(some.labelled[0]);
  EXPECT_TRUE(some.labelled[1]);
  std::size_t found = 0;
  for (std::size_t i = 0; i < all.images.size(); ++i) {
    std::vector<Annotation> expected;
    for (const Annotation& a : all.images[i].annotations) {
      if (a.cls == 1) expected.push_back(a);
    }
    ASSERT_EQ(some.images[i].annotations.size(), expected.size());
    for (std::size_t k = 0; k < expected.size(); ++k) {
      EXPECT_EQ(some.images[i].annotations[k].cls, 1);
      EXPECT_EQ(some.images[i].annotations[k].box.x0, expected[k].box.x0);
      ++found;
    }
  }
  EXPECT_GT(found, 3u);
}

TEST_F(SynthTest, BoxesLieInTheirImagesAndMostObjectsAreNoCrowds) {
  make_street_set(options("set", 60));
  const Dataset set = load("set");
  ASSERT_EQ(set.images.size(), 60u);
  std::array<int, 2> objects{}, crowds{};
  for (const ImageEntry& image : set.images) {
    EXPECT_EQ(read_image_size(image.path).width, 160);
    EXPECT_EQ(read_image_size(image.path).height, 128);
    for (const Annotation& a : image.annotations) {
      ++(a.crowd ? crowds : objects)[static_cast<std::size_t>(a.cls)];
      EXPECT_GE(a.box.x0, 0);
      EXPECT_GE(a.box.y0, 0);
      EXPECT_LE(a.box.x1, 160);
      EXPECT_LE(a.box.y1, 128);
      EXPECT_GT(a.box.width(), 0);
      EXPECT_GT(a.box.height(), 0);
    }
  }
  for (const std::size_t cls : {0u, 1u}) {
    EXPECT_GT(objects[cls], 40) << street_classes()[cls];
    EXPECT_GT(objects[cls], 3 * crowds[cls]) << street_classes()[cls];
  }
}

TEST_F(SynthTest, ABoxEnclosesWhatIsDrawnThere) {
  // Inside its box an object differs from the scenery; a lone box that is off would show more of the surround.
  make_street_set(options("set", 40));
  double inside = 0, outside = 0;
  int looked_at = 0;
  for (const ImageEntry& image : load("set").images) {
    const cv::Mat rgb = read_image(image.path);
    for (const Annotation& a : image.annotations) {
      const cv::Rect box(static_cast<int>(a.box.x0), static_cast<int>(a.box.y0), static_cast<int>(a.box.width()),
                         static_cast<int>(a.box.height()));
      const cv::Rect beside(box.x - box.width - 2, box.y, box.width, box.height);
      if (a.crowd || a.cls != 1 || box.area() < 300 || (beside & cv::Rect(0, 0, 160, 128)) != beside) continue;
      cv::Scalar mean, deviation, mean_beside, deviation_beside;
      cv::meanStdDev(rgb(box), mean, deviation);
      cv::meanStdDev(rgb(beside), mean_beside, deviation_beside);
      inside += deviation[0] + deviation[1] + deviation[2];
      outside += deviation_beside[0] + deviation_beside[1] + deviation_beside[2];
      ++looked_at;
    }
  }
  EXPECT_GT(looked_at, 5);
  EXPECT_GT(inside, 1.2 * outside);
}

TEST_F(SynthTest, TellsOfEachImageAndWritesAnnotationsLast) {
  std::vector<int> told;
  make_street_set(options("set", 3), [&](int done) {
    told.push_back(done);
    EXPECT_FALSE(std::filesystem::exists(folder_ / "set/annotations.json"));
  });
  EXPECT_EQ(told, (std::vector<int>{1, 2, 3}));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "set/annotations.json"));
}

TEST_F(SynthTest, RefusesUnknownClassesOddSizesAndFoldersInUse) {
  StreetOptions zebra = options("zebra");
  zebra.labelled = {"zebra"};
  EXPECT_THAT(error_of([&] { make_street_set(zebra); }), HasSubstr("zebra"));
  for (const auto& [width, height] : {std::pair{32, 128}, {128, 63}, {2049, 128}, {128, 4000}}) {
    StreetOptions odd = options("odd");
    odd.width = width;
    odd.height = height;
    EXPECT_THAT(error_of([&] { make_street_set(odd); }),
                HasSubstr(std::to_string(width) + "x" + std::to_string(height)));
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "odd"));
  const std::string precious = folder_.write("used/precious.txt", std::string("mine"));
  EXPECT_THAT(error_of([&] { make_street_set(options("used")); }), HasSubstr("used"));
  EXPECT_EQ(read_file(precious), "mine");
}

}  // namespace
}  // namespace conclave
