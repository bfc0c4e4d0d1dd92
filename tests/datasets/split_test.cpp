#include "datasets/split.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "dataset_folder.h"
#include "datasets/write_coco.h"

namespace conclave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Each image holds one box of each of three classes; the box's area tells the image and class.
class SplitTest : public ::testing::Test {
 protected:
  SplitTest() {
    for (int c = 0; c < 3; ++c) file_.categories.push_back({10 + c, names_[static_cast<std::size_t>(c)]});
    for (int i = 0; i < 31; ++i) {
      file_.images.push_back({500 - i, "im" + std::to_string(i) + ".jpg", 64, 48});
      for (int c = 0; c < 3; ++c) {
        CocoAnnotation a;
        a.id = i * 3 + c;
        a.image_id = 500 - i;
        a.category_id = 10 + c;
        a.width = 3 + c, a.height = 4;
        a.area = a.width * a.height;
        a.crowd = c == 2;
        file_.annotations.push_back(a);
      }
    }
    write_coco(folder_ / "whole.json", file_, {});
  }

  SplitOptions options() const {
    SplitOptions options;
    options.annotations = folder_ / "whole.json";
    options.folder = folder_ / "parts";
    return options;
  }

  static std::vector<std::int64_t> images_of(const SplitResult& part) {
    std::vector<std::int64_t> ids;
    for (const CocoImage& image : read_coco(part.path).images) ids.push_back(image.id);
    return ids;
  }

  const std::vector<std::string> names_ = {"a", "b", "c"};
  DatasetFolder folder_;
  CocoFile file_;
};

TEST_F(SplitTest, PartsAreDisjointCoverTheSetAndDifferByOneImageAtMost) {
  const auto parts = split_dataset(options());
  ASSERT_EQ(parts.size(), 3u);
  std::set<std::int64_t> all;
  std::size_t total = 0;
  for (const SplitResult& part : parts) {
    const auto ids = images_of(part);
    EXPECT_EQ(static_cast<int>(ids.size()), part.images);
    EXPECT_GE(part.images, 10);
    EXPECT_LE(part.images, 11);
    EXPECT_TRUE(std::is_sorted(ids.rbegin(), ids.rend())) << "images keep the file's order";
    total += ids.size();
    all.insert(ids.begin(), ids.end());
  }
  EXPECT_EQ(total, 31u);
  EXPECT_EQ(all.size(), 31u);
}

TEST_F(SplitTest, APartHoldsOnlyItsClassWithIdsKept) {
  const auto parts = split_dataset(options());
  for (std::size_t p = 0; p < 3; ++p) {
    EXPECT_THAT(parts[p].path, HasSubstr("/" + names_[p] + ".json"));
    const CocoFile part = read_coco(parts[p].path);
    ASSERT_EQ(part.categories.size(), 1u);
    EXPECT_EQ(part.categories[0].name, names_[p]);
    EXPECT_EQ(part.categories[0].id, static_cast<std::int64_t>(10 + p));
    EXPECT_EQ(part.annotations.size(), part.images.size());
    EXPECT_EQ(parts[p].boxes, parts[p].images);
    for (const CocoAnnotation& a : part.annotations) {
      const CocoAnnotation& original = file_.annotations.at(static_cast<std::size_t>(a.id));
      EXPECT_EQ(a.image_id, original.image_id);
      EXPECT_EQ(a.category_id, static_cast<std::int64_t>(10 + p));
      EXPECT_EQ(a.width, original.width);
      EXPECT_EQ(a.area, original.area);
      EXPECT_EQ(a.crowd, p == 2);
    }
    const auto json = nlohmann::json::parse(read_file(parts[p].path));
    EXPECT_THAT(json["info"]["labelled"].get<std::vector<std::string>>(), ElementsAre(names_[p]));
  }
}

TEST_F(SplitTest, TheSeedDecidesWhichImageGoesWhere) {
  SplitOptions one = options(), two = options(), three = options();
  two.folder = folder_ / "again";
  three.folder = folder_ / "other";
  three.seed = 2;
  const auto first = split_dataset(one), again = split_dataset(two), other = split_dataset(three);
  for (std::size_t p = 0; p < 3; ++p) EXPECT_EQ(read_file(first[p].path), read_file(again[p].path));
  EXPECT_NE(images_of(first[0]), images_of(other[0]));
}

TEST_F(SplitTest, NamedPartsMayShareClasses) {
  SplitOptions named = options();
  named.parts = {{"left", {"a", "c"}}, {"right", {"c"}}};
  const auto parts = split_dataset(named);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].boxes, 2 * parts[0].images);
  EXPECT_EQ(parts[1].boxes, parts[1].images);
  EXPECT_EQ(read_coco(parts[0].path).categories.size(), 2u);
}

TEST_F(SplitTest, PartsOfAFewImagesLeaveARestWithoutLabels) {
  SplitOptions few = options();
  few.images_per_part = 4;
  few.rest = "rest";
  const auto parts = split_dataset(few);
  ASSERT_EQ(parts.size(), 4u);
  std::set<std::int64_t> all;
  for (std::size_t p = 0; p < 3; ++p) {
    EXPECT_EQ(parts[p].images, 4);
    EXPECT_EQ(parts[p].boxes, 4);
    const auto ids = images_of(parts[p]);
    all.insert(ids.begin(), ids.end());
  }
  EXPECT_THAT(parts[3].path, HasSubstr("/rest.json"));
  EXPECT_EQ(parts[3].images, 31 - 12);
  EXPECT_EQ(parts[3].boxes, 0);
  const auto rest = images_of(parts[3]);
  all.insert(rest.begin(), rest.end());
  EXPECT_EQ(all.size(), 31u);
}

TEST_F(SplitTest, FewerImagesPerPartAreASubset) {
  SplitOptions whole = options(), few = options();
  few.folder = folder_ / "few";
  few.images_per_part = 3;
  const auto all = split_dataset(whole), some = split_dataset(few);
  for (std::size_t p = 0; p < 3; ++p) {
    for (const std::int64_t id : images_of(some[p])) EXPECT_THAT(images_of(all[p]), ::testing::Contains(id));
  }
}

TEST_F(SplitTest, ASampleKeepsLabelsOrderAndIdsAndGrowsWithItsNumber) {
  SampleOptions sample;
  sample.annotations = folder_ / "whole.json";
  sample.file = folder_ / "new/nine.json";
  sample.images = 9;
  const SplitResult nine = sample_dataset(sample);
  EXPECT_EQ(nine.images, 9);
  EXPECT_EQ(nine.boxes, 27);
  const auto ids = images_of(nine);
  EXPECT_EQ(ids.size(), 9u);
  EXPECT_TRUE(std::is_sorted(ids.rbegin(), ids.rend()));
  EXPECT_EQ(read_coco(nine.path).categories.size(), 3u);
  sample.images = 4;
  sample.file = folder_ / "four.json";
  for (const std::int64_t id : images_of(sample_dataset(sample))) EXPECT_THAT(ids, ::testing::Contains(id));
  sample.overwrite = true;
  sample.seed = 2;
  sample.images = 9;
  EXPECT_NE(images_of(sample_dataset(sample)), ids);
  sample.images = 32;
  EXPECT_THAT(error_of([&] { sample_dataset(sample); }), HasSubstr("32 images of 31"));
}

TEST_F(SplitTest, ReplacesNoFileOfOtherContentUnlessTold) {
  SplitOptions wanted = options();
  const auto first = split_dataset(wanted);
  const auto before = std::filesystem::last_write_time(first[0].path);
  EXPECT_EQ(split_dataset(wanted).size(), 3u) << "the same once more";
  EXPECT_EQ(std::filesystem::last_write_time(first[0].path), before);

  const std::string own = read_file(first[0].path);
  std::filesystem::remove(first[0].path);
  wanted.seed = 2;
  EXPECT_THAT(error_of([&] { split_dataset(wanted); }), HasSubstr("is there already"));
  EXPECT_FALSE(std::filesystem::exists(first[0].path)) << "nothing is written";
  wanted.overwrite = true;
  split_dataset(wanted);
  EXPECT_NE(read_file(first[0].path), own);

  SampleOptions sample;
  sample.annotations = folder_ / "whole.json";
  sample.file = folder_ / "few.json";
  sample.images = 5;
  sample_dataset(sample);
  EXPECT_EQ(sample_dataset(sample).images, 5);
  sample.images = 6;
  EXPECT_THAT(error_of([&] { sample_dataset(sample); }), HasSubstr("is there already"));
  EXPECT_EQ(read_coco(sample.file).images.size(), 5u);
  sample.overwrite = true;
  sample_dataset(sample);
  EXPECT_EQ(read_coco(sample.file).images.size(), 6u);
}

TEST_F(SplitTest, NeverReplacesItsSource) {
  const std::string source = read_file(folder_ / "whole.json");
  SampleOptions sample;
  sample.annotations = folder_ / "whole.json";
  sample.file = folder_ / "../" + std::filesystem::path(folder_.path()).filename().string() + "/whole.json";
  sample.images = 5;
  sample.overwrite = true;
  EXPECT_THAT(error_of([&] { sample_dataset(sample); }), HasSubstr("made from"));
  SplitOptions split = options();
  split.folder = folder_.path();
  split.parts = {{"other", {"a"}}, {"whole", {"b"}}};
  split.overwrite = true;
  EXPECT_THAT(error_of([&] { split_dataset(split); }), HasSubstr("made from"));
  EXPECT_EQ(read_file(folder_ / "whole.json"), source);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "other.json"));
}

TEST_F(SplitTest, RefusesWhatCantBeSplitAndWritesNothing) {
  const auto refused = [&](const std::vector<SplitPart>& parts) {
    SplitOptions wrong = options();
    wrong.parts = parts;
    const std::string text = error_of([&] { split_dataset(wrong); });
    EXPECT_FALSE(std::filesystem::exists(wrong.folder));
    return text;
  };
  EXPECT_THAT(refused({{"x", {"a"}}, {"y", {"zebra"}}}), HasSubstr("zebra"));
  EXPECT_THAT(refused({{"x", {"a"}}, {"x", {"b"}}}), HasSubstr("two parts"));
  EXPECT_NE(refused({{"", {"a"}}}), "");
  EXPECT_NE(refused({{"../x", {"a"}}}), "");
  std::vector<SplitPart> many;
  for (int i = 0; i < 32; ++i) many.push_back({std::to_string(i), {"a"}});
  EXPECT_THAT(refused(many), HasSubstr("32 parts of 31 images"));
  SplitOptions large = options();
  large.images_per_part = 11;
  EXPECT_THAT(error_of([&] { split_dataset(large); }), HasSubstr("3 parts of 11 images each"));
  SplitOptions rest = options();
  rest.rest = "a";
  EXPECT_THAT(error_of([&] { split_dataset(rest); }), HasSubstr("two parts are named a"));
  rest.rest = "../x";
  EXPECT_NE(error_of([&] { split_dataset(rest); }), "");
  EXPECT_FALSE(std::filesystem::exists(rest.folder));
  SplitOptions missing = options();
  missing.annotations = folder_ / "none.json";
  EXPECT_THAT(error_of([&] { split_dataset(missing); }), HasSubstr("none.json"));
}

}  // namespace
}  // namespace conclave
