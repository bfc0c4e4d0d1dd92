#include "datasets/write_coco.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "dataset_folder.h"

namespace conclave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Dataset small_set() {
  Dataset set;
  set.name = "small";
  set.classes = {"person", "a \"quoted\" \\ name", "größe"};
  set.labelled = {true, true, true};
  ImageEntry first;
  first.path = "some/folder/one.jpg";
  first.width = 640;
  first.height = 480;
  first.id = 42;
  first.annotations = {{{0.1F, 0.2F, 33.3F, 47.7F}, 0, false, 123.456F, 1}, {{5, 6, 7, 8}, 2, true, 1e-3F, 2}};
  ImageEntry second = first;
  second.path = "two.jpg";
  second.id = 7;
  second.annotations = {{{100.25F, 0, 101.125F, 480}, 1, false, 420, 3}};
  set.images = {first, second};
  return set;
}

TEST(WriteCoco, ASetReadBackIsTheSame) {
  const DatasetFolder folder;
  const Dataset set = small_set();
  write_coco(folder / "set.json", coco_of(set), {"three boxes", set.classes});
  DatasetOptions options;
  options.name = "again";
  options.annotations = folder / "set.json";
  options.all_labelled = true;
  const Dataset again = load_dataset(options, set.classes);
  EXPECT_EQ(again.labelled, set.labelled);
  ASSERT_EQ(again.images.size(), set.images.size());
  EXPECT_EQ(again.images[0].path, "one.jpg");
  EXPECT_EQ(again.images[1].path, "two.jpg");
  for (std::size_t i = 0; i < set.images.size(); ++i) {
    EXPECT_EQ(again.images[i].id, set.images[i].id);
    EXPECT_EQ(again.images[i].width, 640);
    EXPECT_EQ(again.images[i].height, 480);
    ASSERT_EQ(again.images[i].annotations.size(), set.images[i].annotations.size());
    for (std::size_t k = 0; k < set.images[i].annotations.size(); ++k) {
      const Annotation &a = again.images[i].annotations[k], &b = set.images[i].annotations[k];
      EXPECT_EQ(a.cls, b.cls);
      EXPECT_EQ(a.crowd, b.crowd);
      EXPECT_EQ(a.area, b.area);
      EXPECT_EQ(a.box.x0, b.box.x0);
      EXPECT_EQ(a.box.y0, b.box.y0);
      EXPECT_FLOAT_EQ(a.box.x1, b.box.x1);
      EXPECT_FLOAT_EQ(a.box.y1, b.box.y1);
    }
  }
}

TEST(WriteCoco, WhatWasReadIsWrittenAgainByteForByte) {
  const DatasetFolder folder;
  write_coco(folder / "one.json", coco_of(small_set()), {"d", {"person"}});
  write_coco(folder / "two.json", read_coco(folder / "one.json"), {"d", {"person"}});
  EXPECT_EQ(read_file(folder / "one.json"), read_file(folder / "two.json"));
}

TEST(WriteCoco, NumbersTakeTheirShortestForm) {
  const DatasetFolder folder;
  write_coco(folder / "set.json", coco_of(small_set()), {});
  const std::string text = read_file(folder / "set.json");
  EXPECT_THAT(text, HasSubstr("\"bbox\":[0.1,0.2,"));
  EXPECT_THAT(text, HasSubstr("\"bbox\":[100.25,0,0.875,480],\"area\":420,"));
  EXPECT_THAT(text, HasSubstr("\"area\":123.456,"));
}

TEST(WriteCoco, IsJsonForAnyoneAndTellsWhatIsLabelled) {
  const DatasetFolder folder;
  write_coco(folder / "set.json", coco_of(small_set()), {"a \"set\"", {"person", "größe"}});
  const auto json = nlohmann::json::parse(read_file(folder / "set.json"));
  EXPECT_EQ(json["info"]["description"], "a \"set\"");
  EXPECT_THAT(json["info"]["labelled"].get<std::vector<std::string>>(), ElementsAre("person", "größe"));
  EXPECT_EQ(json["categories"][1]["name"], "a \"quoted\" \\ name");
  EXPECT_EQ(json["categories"][2]["id"], 3);
  EXPECT_EQ(json["images"][0]["file_name"], "one.jpg");
  EXPECT_EQ(json["annotations"][1]["iscrowd"], 1);
  EXPECT_EQ(json["annotations"][2]["image_id"], 7);
}

TEST(WriteCoco, DetectionsTakeCocosResultsFormat) {
  const DatasetFolder folder;
  const Dataset set = small_set();
  const std::vector<std::vector<Detection>> detections = {
      {{{1.5F, 2, 11.5F, 22.25F}, 0, 0.7F}, {{0, 0, 640, 480}, 2, 0.25F}}, {{{3, 3, 4, 4}, 1, 1}}};
  write_detections(folder / "d.json", set, detections);
  const auto json = nlohmann::json::parse(read_file(folder / "d.json"));
  ASSERT_EQ(json.size(), 3u);
  EXPECT_EQ(json[0]["image_id"], 42);
  EXPECT_EQ(json[0]["category_id"], 1);
  EXPECT_THAT(json[0]["bbox"].get<std::vector<double>>(), ElementsAre(1.5, 2, 10, 20.25));
  EXPECT_EQ(json[0]["score"], 0.7);
  EXPECT_EQ(json[1]["category_id"], 3);
  EXPECT_EQ(json[2]["image_id"], 7);
  write_detections(folder / "d.json", set, detections, {17, 4, 90});
  const auto mapped = nlohmann::json::parse(read_file(folder / "d.json"));
  EXPECT_EQ(mapped[0]["category_id"], 17);
  EXPECT_EQ(mapped[1]["category_id"], 90);
  EXPECT_EQ(mapped[2]["category_id"], 4);
  write_detections(folder / "none.json", set, {{}, {}});
  EXPECT_EQ(nlohmann::json::parse(read_file(folder / "none.json")).size(), 0u);
  EXPECT_THAT(error_of([&] { write_detections(folder / "x.json", set, {{}}); }), HasSubstr("x.json"));
}

TEST(WriteCoco, AFolderThatIsNotThereIsAnError) {
  EXPECT_THAT(error_of([&] { write_coco("/nonexistent/folder/set.json", {}, {}); }), HasSubstr("/nonexistent/folder"));
}

}  // namespace
}  // namespace conclave
