#include "datasets/dataset.h"

#include <gmock/gmock.h>

#include "dataset_folder.h"
#include "datasets/coco_file.h"

namespace conclave {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const char* const kImages = R"({"id":7,"file_name":"b.jpg","width":40,"height":30},
  {"id":3,"file_name":"a.jpg","width":50,"height":20},{"id":5,"file_name":"c.jpg","width":60,"height":60})";
const char* const kAnnotations =
    R"({"id":11,"image_id":3,"category_id":9,"bbox":[1,2,30.5,10],"area":200,"iscrowd":0},
  {"id":12,"image_id":7,"category_id":4,"bbox":[0,0,4,5],"iscrowd":1},
  {"id":13,"image_id":3,"category_id":4,"bbox":[5,6,7,8],"segmentation":[[1,2,3]],"score":0.5})";
const char* const kCategories = R"({"id":4,"name":"car","supercategory":"vehicle"},{"id":9,"name":"person"})";

std::string coco(const std::string& annotations = kAnnotations, const std::string& images = kImages,
                 const std::string& categories = kCategories) {
  return "{\"info\":{\"year\":2020},\"images\":[" + images + "],\"annotations\":[" + annotations +
         "],\"categories\":[" + categories + "]}";
}

DatasetOptions options_for(const std::string& annotations) {
  DatasetOptions options;
  options.name = "set";
  options.annotations = annotations;
  return options;
}

class DatasetTest : public ::testing::Test {
 protected:
  std::string write(const std::string& json) const { return folder_.write("instances.json", json); }
  std::string fault_of(const std::string& json) const {
    const std::string path = write(json);
    const std::string text = error_of([&] { load_dataset(options_for(path), {"person", "car"}); });
    EXPECT_THAT(text, HasSubstr(path));
    return text;
  }
  DatasetFolder folder_;
};

TEST_F(DatasetTest, ReadsImagesAndBoxesInTheOrderOfTheFile) {
  const Dataset set = load_dataset(options_for(write(coco())), {"person", "car"});
  EXPECT_EQ(set.name, "set");
  EXPECT_THAT(set.classes, ElementsAre("person", "car"));
  ASSERT_EQ(set.images.size(), 3u);
  EXPECT_EQ(set.images[0].id, 7);
  EXPECT_EQ(set.images[0].path, "b.jpg");
  EXPECT_EQ(set.images[1].width, 50);
  EXPECT_EQ(set.images[1].height, 20);
  ASSERT_EQ(set.images[1].annotations.size(), 2u);
  const Annotation& person = set.images[1].annotations[0];
  EXPECT_EQ(person.cls, 0);
  EXPECT_EQ(person.id, 11);
  EXPECT_EQ(person.area, 200);
  EXPECT_FALSE(person.crowd);
  EXPECT_FLOAT_EQ(person.box.x0, 1);
  EXPECT_FLOAT_EQ(person.box.y0, 2);
  EXPECT_FLOAT_EQ(person.box.x1, 31.5);
  EXPECT_FLOAT_EQ(person.box.y1, 12);
  EXPECT_EQ(set.images[1].annotations[1].cls, 1);
  EXPECT_TRUE(set.images[2].annotations.empty());
}

TEST_F(DatasetTest, ACrowdIsMarkedAndAnUnstatedAreaIsTheBox) {
  const Dataset set = load_dataset(options_for(write(coco())), {"person", "car"});
  ASSERT_EQ(set.images[0].annotations.size(), 1u);
  EXPECT_TRUE(set.images[0].annotations[0].crowd);
  EXPECT_EQ(set.images[0].annotations[0].area, 20);
}

TEST_F(DatasetTest, ListsMayComeInAnyOrder) {
  const Dataset set =
      load_dataset(options_for(write("{\"annotations\":[" + std::string(kAnnotations) + "],\"categories\":[" +
                                     kCategories + "],\"images\":[" + kImages + "],\"licenses\":[{\"id\":1}]}")),
                   {"car"});
  EXPECT_EQ(set.images[0].annotations.size(), 1u);
}

TEST_F(DatasetTest, DropsBoxesOfOtherClassesAndKeepsUnlabelledOnes) {
  DatasetOptions options = options_for(write(coco()));
  options.labelled = {"person"};
  const Dataset only_person = load_dataset(options, {"person", "dog"});
  EXPECT_EQ(only_person.images[0].annotations.size(), 0u);
  EXPECT_EQ(only_person.images[1].annotations.size(), 1u);
  EXPECT_THAT(only_person.labelled, ElementsAre(true, false));
  const Dataset both = load_dataset(options, {"car", "person"});
  EXPECT_EQ(both.images[1].annotations.size(), 2u);
  EXPECT_THAT(both.labelled, ElementsAre(false, true));
  options.labelled.clear();
  EXPECT_THAT(load_dataset(options, {"car", "person"}).labelled, ElementsAre(false, false));
  options.all_labelled = true;
  EXPECT_THAT(load_dataset(options, {"car", "dog", "person"}).labelled, ElementsAre(true, false, true));
}

TEST_F(DatasetTest, RefusesALabelledClassThatNobodyKnows) {
  DatasetOptions options = options_for(write(coco()));
  options.labelled = {"person", "zebra"};
  EXPECT_THAT(error_of([&] { load_dataset(options, {"person"}); }),
              AllOf(HasSubstr("zebra"), HasSubstr(options.annotations)));
  options.labelled = {"car"};  // in the file, though none of the student's
  EXPECT_EQ(load_dataset(options, {"person"}).images.size(), 3u);
}

TEST_F(DatasetTest, LimitKeepsTheFirstImages) {
  DatasetOptions options = options_for(write(coco()));
  options.limit = 2;
  const Dataset set = load_dataset(options, {"person", "car"});
  ASSERT_EQ(set.images.size(), 2u);
  EXPECT_EQ(set.images[1].id, 3);
  EXPECT_EQ(set.images[1].annotations.size(), 2u);
  options.limit = 99;
  EXPECT_EQ(load_dataset(options, {"person"}).images.size(), 3u);
}

TEST_F(DatasetTest, AFolderIsASetOfItsImagesByName) {
  for (const char* name : {"img2.jpg", "img10.jpg", "A.jpg", "b.jpeg"}) {
    folder_.write(std::string("images/") + name, plain_picture(20 + name[3] % 7, 16, {9, 9, 9}));
  }
  folder_.write("images/readme.txt", std::string("x"));
  DatasetOptions options;
  options.name = "street";
  options.images = folder_ / "images";
  const Dataset set = load_dataset(options, {"person"});
  std::vector<std::string> names;
  for (const ImageEntry& image : set.images) {
    names.push_back(image.path.substr(image.path.rfind('/') + 1));
    EXPECT_EQ(image.width, read_image_size(image.path).width);
    EXPECT_EQ(image.height, 16);
    EXPECT_EQ(image.id, static_cast<std::int64_t>(names.size()) - 1);
  }
  EXPECT_THAT(names, ElementsAre("A.jpg", "b.jpeg", "img10.jpg", "img2.jpg"));
  EXPECT_THAT(set.labelled, ElementsAre(false));
  options.limit = 1;
  EXPECT_EQ(load_dataset(options, {"person"}).images.size(), 1u);
  options.labelled = {"person"};
  EXPECT_THAT(error_of([&] { load_dataset(options, {"person"}); }), HasSubstr("names no annotations"));
}

TEST_F(DatasetTest, MissingFilesFoldersAndImagesAreErrorsThatNameThem) {
  EXPECT_THAT(error_of([&] { load_dataset(options_for(folder_ / "none.json"), {"a"}); }), HasSubstr("none.json"));
  DatasetOptions options = options_for(write(coco()));
  options.images = folder_ / "pictures";
  EXPECT_THAT(error_of([&] { load_dataset(options, {"person"}); }), HasSubstr(options.images));
  for (const char* name : {"b.jpg", "c.jpg"}) {
    folder_.write(std::string("pictures/") + name, plain_picture(40, 30, {9, 9, 9}));
  }
  EXPECT_THAT(error_of([&] { load_dataset(options, {"person"}); }),
              AllOf(HasSubstr("image 3"), HasSubstr("pictures/a.jpg"), HasSubstr(options.annotations)));
  std::filesystem::create_directories(folder_ / "empty");
  options = {};
  options.images = folder_ / "empty";
  EXPECT_THAT(error_of([&] { load_dataset(options, {"person"}); }), HasSubstr(options.images));
}

TEST_F(DatasetTest, AnUnstatedSizeIsReadFromTheImage) {
  folder_.write("pictures/a.jpg", plain_picture(40, 30, {9, 9, 9}));
  DatasetOptions options = options_for(write(coco("", R"({"id":1,"file_name":"a.jpg"})")));
  options.images = folder_ / "pictures";
  const Dataset set = load_dataset(options, {"person"});
  EXPECT_EQ(set.images.at(0).width, 40);
  EXPECT_EQ(set.images.at(0).height, 30);
}

struct Fault {
  std::string annotation;
  std::vector<std::string> said;
};

TEST_F(DatasetTest, EveryMalformedAnnotationIsNamed) {
  const std::string head = R"({"id":17,"image_id":3,"category_id":9,)";
  const std::vector<Fault> faults = {
      {R"({"id":17,"image_id":3,"category_id":99,"bbox":[1,2,3,4]})",
       {"annotation 17 (image 3)", "unknown category 99"}},
      {R"({"id":17,"image_id":8,"category_id":9,"bbox":[1,2,3,4]})", {"annotation 17", "no image 8"}},
      {head + R"("bbox":[NaN,2,3,4]})", {"annotation 17 (image 3)", "nan"}},
      {head + R"("bbox":[1,2,Infinity,4]})", {"annotation 17", "inf"}},
      {head + R"("bbox":[1,-Infinity,3,4]})", {"annotation 17", "-inf"}},
      {head + R"("bbox":[1,null,3,4]})", {"annotation 17", "nan"}},
      {head + R"("bbox":[1,2,-3,4]})", {"annotation 17", "[1, 2, -3, 4]", "negative"}},
      {head + R"("bbox":[1,2,3,-4]})", {"annotation 17", "negative"}},
      {head + R"("bbox":[1,2,3]})", {"annotation 17", "[1, 2, 3]", "four numbers"}},
      {head + R"("bbox":[1,2,3,4,5]})", {"annotation 17", "four numbers"}},
      {head + R"("bbox":[]})", {"annotation 17", "no box"}},
      {head + R"("bbox":"1,2,3,4"})", {"annotation 17", "not a list"}},
      {head + R"("bbox":[1,"2",3,4]})", {"annotation 17", "not a number"}},
      {head + R"("bbox":[1,2,1e300,4]})", {"annotation 17", "1e+300"}},
      {head + R"("bbox":[1,2,3,4],"area":-1})", {"annotation 17", "area"}},
      {head + R"("bbox":[1,2,3,4],"area":NaN})", {"annotation 17", "area"}},
      {head + R"("area":4})", {"annotation 17", "no box"}},
      {R"({"id":17,"category_id":9,"bbox":[1,2,3,4]})", {"annotation 17", "image_id"}},
      {R"({"id":17,"image_id":3,"bbox":[1,2,3,4]})", {"annotation 17 (image 3)", "category_id"}},
      {R"({"id":17,"image_id":"3","category_id":9,"bbox":[1,2,3,4]})", {"annotation 17", "image_id", "not an integer"}},
      {R"({"id":17,"image_id":3.5,"category_id":9,"bbox":[1,2,3,4]})", {"annotation 17", "3.5"}},
      {R"({"id":"x","image_id":3,"category_id":9,"bbox":[1,2,3,4]})", {"annotations[3] (image 3)", "id"}},
      {R"({"image_id":3,"category_id":9,"bbox":[1,2,3,-4]})", {"annotations[3] (image 3)", "negative"}},
      {R"({"id":13,"image_id":3,"category_id":9,"bbox":[1,2,3,4]})", {"annotation 13", "same id"}},
  };
  for (const Fault& fault : faults) {
    SCOPED_TRACE(fault.annotation);
    const std::string text = fault_of(coco(std::string(kAnnotations) + "," + fault.annotation));
    for (const std::string& said : fault.said) EXPECT_THAT(text, HasSubstr(said));
  }
}

TEST_F(DatasetTest, EveryMalformedImageAndCategoryIsNamed) {
  const auto image = [&](const std::string& entry) {
    return fault_of(coco(kAnnotations, std::string(kImages) + "," + entry));
  };
  EXPECT_THAT(image(R"({"id":7,"file_name":"d.jpg"})"), AllOf(HasSubstr("image 7"), HasSubstr("same id")));
  EXPECT_THAT(image(R"({"id":8})"), AllOf(HasSubstr("image 8"), HasSubstr("file_name")));
  EXPECT_THAT(image(R"({"file_name":"d.jpg"})"), AllOf(HasSubstr("images[3]"), HasSubstr("no id")));
  EXPECT_THAT(image(R"({"id":8,"file_name":"d.jpg","width":0,"height":5})"), HasSubstr("width is 0"));
  EXPECT_THAT(image(R"({"id":8,"file_name":"d.jpg","width":5,"height":-5})"), HasSubstr("height is -5"));
  EXPECT_THAT(image(R"({"id":8,"file_name":17})"), HasSubstr("not a string"));
  const auto category = [&](const std::string& entry) {
    return fault_of(coco(kAnnotations, kImages, std::string(kCategories) + "," + entry));
  };
  EXPECT_THAT(category(R"({"id":4,"name":"bus"})"), AllOf(HasSubstr("category 4"), HasSubstr("same id")));
  EXPECT_THAT(category(R"({"id":5,"name":"car"})"), AllOf(HasSubstr("category 5"), HasSubstr("\"car\"")));
  EXPECT_THAT(category(R"({"id":5})"), HasSubstr("no name"));
  EXPECT_THAT(category(R"({"name":"bus"})"), AllOf(HasSubstr("categories[2]"), HasSubstr("no id")));
}

TEST_F(DatasetTest, MissingListsAndMalformedJsonAreErrors) {
  EXPECT_THAT(fault_of(R"({"annotations":[],"categories":[]})"), HasSubstr("\"images\""));
  EXPECT_THAT(fault_of(R"({"images":[],"categories":[]})"), HasSubstr("\"annotations\""));
  EXPECT_THAT(fault_of(R"({"images":[],"annotations":[]})"), HasSubstr("\"categories\""));
  for (const char* text :
       {"", "   ", "null", "17", "[]", "{", "{}}", R"({"images":{},"annotations":[],"categories":[]})",
        R"({"images":[1],"annotations":[],"categories":[]})"}) {
    SCOPED_TRACE(text);
    EXPECT_NE(fault_of(text), "");
  }
  EXPECT_THAT(fault_of(coco() + "{}"), HasSubstr("malformed JSON"));
}

TEST_F(DatasetTest, AFileCutAnywhereIsAnError) {
  const std::string whole = coco();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    ASSERT_NE(fault_of(whole.substr(0, length)), "") << length << " of " << whole.size() << " bytes";
  }
}

TEST_F(DatasetTest, AReaderThatTakesFaultsGetsAllOfThemAndTheSoundEntries) {
  const std::string path = write(coco(std::string(kAnnotations) +
                                      R"(,{"id":20,"image_id":3,"category_id":9,"bbox":[NaN,2,3,4]},
    {"id":21,"image_id":77,"category_id":9,"bbox":[1,2,3,4]},{"id":22,"image_id":3,"category_id":9,"bbox":[1,2,3,4]})"));
  std::vector<std::string> faults;
  const CocoFile file = read_coco(path, [&](const std::string& fault) { faults.push_back(fault); });
  EXPECT_THAT(faults, ElementsAre(HasSubstr("annotation 20"), HasSubstr("annotation 21")));
  EXPECT_EQ(file.annotations.size(), 4u);
  EXPECT_EQ(file.annotations.back().id, 22);
}

TEST_F(DatasetTest, ALargeFileLoadsWithEveryBox) {
  std::string images, annotations;
  const int count = 4000, per_image = 50;
  for (int i = 0; i < count; ++i) {
    images +=
        (i ? ",\n" : "") + ("{\"license\": 1, \"file_name\": \"" + std::to_string(i) + ".jpg\", \"height\": 480, " +
                            "\"width\": 640, \"id\": " + std::to_string(i * 3) + "}");
    for (int k = 0; k < per_image; ++k) {
      const int id = i * per_image + k;
      annotations += (id ? ",\n" : "") +
                     ("{\"segmentation\": [], \"area\": " + std::to_string(k + 1) +
                      ".25, \"iscrowd\": " + (k == 49 ? "1" : "0") + ", \"image_id\": " + std::to_string(i * 3) +
                      ", \"bbox\": [" + std::to_string(k) + ".5, 7.0, " + std::to_string(k + 1) +
                      ".0, 20.25], \"category_id\": " + (k % 5 ? "9" : "4") + ", \"id\": " + std::to_string(id) + "}");
    }
  }
  const std::string json = coco(annotations, images);
  ASSERT_GT(json.size(), 20'000'000u);
  const Dataset set = load_dataset(options_for(write(json)), {"person", "car"});
  ASSERT_EQ(set.images.size(), 4000u);
  std::size_t boxes = 0, cars = 0, crowds = 0;
  for (const ImageEntry& image : set.images) {
    for (const Annotation& a : image.annotations) {
      ++boxes;
      cars += a.cls == 1;
      crowds += a.crowd;
    }
  }
  EXPECT_EQ(boxes, 200'000u);
  EXPECT_EQ(cars, 40'000u);
  EXPECT_EQ(crowds, 4000u);
  EXPECT_FLOAT_EQ(set.images[3999].annotations[30].box.x1, 61.5F);
  EXPECT_FLOAT_EQ(set.images[3999].annotations[30].area, 31.25F);
}

}  // namespace
}  // namespace conclave
