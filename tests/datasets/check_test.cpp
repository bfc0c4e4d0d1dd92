#include "datasets/check.h"

#include <gmock/gmock.h>

#include "dataset_folder.h"

namespace conclave {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class CheckTest : public ::testing::Test {
 protected:
  CheckTest() {
    for (const char* name : {"a.jpg", "b.jpg", "c.jpg"})
      folder_.write(std::string("images/") + name, gradient_picture(200, 150));
    options_.name = "set";
    options_.images = folder_ / "images";
    images_ =
        R"({"id":1,"file_name":"a.jpg","width":200,"height":150},{"id":2,"file_name":"b.jpg","width":200,"height":150},
      {"id":3,"file_name":"c.jpg","width":200,"height":150})";
    annotations_ = R"({"id":1,"image_id":1,"category_id":1,"bbox":[10,10,20,20]},
      {"id":2,"image_id":2,"category_id":2,"bbox":[10,10,50,50]},
      {"id":3,"image_id":3,"category_id":1,"bbox":[0,0,200,150]},
      {"id":4,"image_id":3,"category_id":1,"bbox":[0,0,90,90],"iscrowd":1})";
  }

  DatasetReport check(const std::vector<std::string>& classes = {}) {
    options_.annotations =
        folder_.write("set.json", "{\"images\":[" + images_ + "],\"annotations\":[" + annotations_ +
                                      R"(],"categories":[{"id":1,"name":"person"},{"id":2,"name":"car"}]})");
    return check_dataset(options_, classes, 2);
  }

  DatasetFolder folder_;
  DatasetOptions options_;
  std::string images_, annotations_;
};

TEST_F(CheckTest, ASoundSetHasNoFindings) {
  const DatasetReport report = check({"person", "car"});
  EXPECT_TRUE(report.usable());
  EXPECT_EQ(report.images, 3);
  EXPECT_EQ(report.annotations, 4);
  for (const auto* list : {&report.faults, &report.broken_images, &report.outside, &report.tiny, &report.duplicates,
                           &report.without_boxes, &report.class_mismatch}) {
    EXPECT_THAT(*list, IsEmpty());
  }
  EXPECT_THAT(text_of(report), AllOf(HasSubstr("3 images, 4 annotations"), HasSubstr("person"), HasSubstr("usable"),
                                     Not(HasSubstr("not usable"))));
}

TEST_F(CheckTest, CountsBoxesByClassAndSize) {
  const DatasetReport report = check();
  ASSERT_EQ(report.classes.size(), 2u);
  const ClassCount& person = report.classes[0];
  EXPECT_EQ(person.name, "person");
  EXPECT_EQ(person.boxes, 2);
  EXPECT_EQ(person.crowds, 1);
  EXPECT_EQ(person.images, 2);
  EXPECT_EQ(person.small, 1);
  EXPECT_EQ(person.medium, 0);
  EXPECT_EQ(person.large, 1);
  EXPECT_EQ(report.classes[1].medium, 1);
}

TEST_F(CheckTest, FindsBrokenMissingAndMissizedImages) {
  const std::string whole = read_file(folder_ / "images/a.jpg");
  folder_.write("images/a.jpg", whole.substr(0, whole.size() / 2));
  std::filesystem::remove(folder_ / "images/b.jpg");
  folder_.write("images/c.jpg", gradient_picture(150, 200));
  const DatasetReport report = check();
  EXPECT_THAT(report.broken_images,
              ElementsAre(HasSubstr("a.jpg"), HasSubstr("b.jpg"), AllOf(HasSubstr("c.jpg"), HasSubstr("150x200"))));
  EXPECT_FALSE(report.usable());
  EXPECT_THAT(text_of(report), AllOf(HasSubstr("broken images: 3"), HasSubstr("not usable")));
}

TEST_F(CheckTest, FindsFaultyEntriesAndGoesOn) {
  annotations_ += R"(,{"id":5,"image_id":1,"category_id":1,"bbox":[NaN,0,5,5]},
    {"id":6,"image_id":1,"category_id":7,"bbox":[0,0,5,5]},{"id":7,"image_id":9,"category_id":1,"bbox":[0,0,5,5]},
    {"id":8,"image_id":1,"category_id":1,"bbox":[0,0,-5,5]},{"id":1,"image_id":1,"category_id":1,"bbox":[0,0,5,5]})";
  images_ += R"(,{"id":1,"file_name":"d.jpg"})";
  const DatasetReport report = check();
  EXPECT_THAT(report.faults, ::testing::UnorderedElementsAre(HasSubstr("annotation 5"), HasSubstr("annotation 6"),
                                                             HasSubstr("annotation 7"), HasSubstr("annotation 8"),
                                                             HasSubstr("annotation 1 "), HasSubstr("image 1")));
  EXPECT_EQ(report.annotations, 4);
  EXPECT_FALSE(report.usable());
}

TEST_F(CheckTest, FindsOddBoxesAndEmptyImagesButAllowsThem) {
  annotations_ += R"(,{"id":5,"image_id":1,"category_id":1,"bbox":[190,10,30,30]},
    {"id":6,"image_id":1,"category_id":1,"bbox":[-5,10,30,30]},{"id":7,"image_id":1,"category_id":1,"bbox":[190,10,10.5,30]},
    {"id":8,"image_id":1,"category_id":1,"bbox":[50,50,1,30]},{"id":9,"image_id":2,"category_id":2,"bbox":[10,10,50,50]},
    {"id":10,"image_id":2,"category_id":1,"bbox":[10,10,50,50]})";
  images_ += R"(,{"id":4,"file_name":"a.jpg","width":200,"height":150})";
  const DatasetReport report = check();
  EXPECT_THAT(report.outside, ElementsAre(HasSubstr("annotation 5"), HasSubstr("annotation 6")));
  EXPECT_THAT(report.tiny, ElementsAre(AllOf(HasSubstr("annotation 8"), HasSubstr("[50, 50, 1, 30]"))));
  EXPECT_THAT(report.duplicates, ElementsAre(HasSubstr("annotation 9"), HasSubstr("a.jpg is listed twice")));
  EXPECT_THAT(report.without_boxes, ElementsAre("a.jpg"));
  EXPECT_TRUE(report.usable());
}

TEST_F(CheckTest, FindsClassesThatDoNotMatch) {
  EXPECT_THAT(check({"person", "dog"}).class_mismatch, ElementsAre(HasSubstr("car"), HasSubstr("dog")));
}

TEST_F(CheckTest, ChecksAPlainFolderToo) {
  folder_.write("images/d.png", std::string("no image"));
  const DatasetReport report = check_dataset(options_, {}, 3);
  EXPECT_EQ(report.images, 4);
  EXPECT_THAT(report.broken_images, ElementsAre(HasSubstr("d.png")));
}

TEST_F(CheckTest, CutsLongListsAndSaysSo) {
  for (int i = 0; i < 25; ++i) {
    annotations_ += ",{\"id\":" + std::to_string(100 + i) + ",\"image_id\":1,\"category_id\":1,\"bbox\":[" +
                    std::to_string(i) + ",0,1,1]}";
  }
  const std::string text = text_of(check(), 10);
  EXPECT_THAT(text, AllOf(HasSubstr("boxes under two pixels: 25"), HasSubstr("annotation 109"),
                          Not(HasSubstr("annotation 110")), HasSubstr("... and 15 more")));
}

TEST_F(CheckTest, ThrowsWhereNothingCanBeSaid) {
  annotations_ = "{";
  EXPECT_THAT(error_of([&] { check(); }), HasSubstr("malformed JSON"));
  options_.images = folder_ / "none";
  EXPECT_THAT(error_of([&] { check_dataset(options_, {}); }), HasSubstr(options_.images));
}

}  // namespace
}  // namespace conclave
