#include "datasets/draw.h"

#include <gmock/gmock.h>

#include <set>

#include "dataset_folder.h"

namespace conclave {
namespace {

const cv::Scalar kGrey = cv::Scalar::all(100);

cv::Vec3b rounded(const cv::Scalar& colour) {
  return {cv::saturate_cast<std::uint8_t>(colour[0]), cv::saturate_cast<std::uint8_t>(colour[1]),
          cv::saturate_cast<std::uint8_t>(colour[2])};
}

bool unchanged(const cv::Mat& rgb, const cv::Scalar& was = kGrey) {
  return cv::norm(rgb, plain_picture(rgb.cols, rgb.rows, was), cv::NORM_INF) == 0;
}

// Bounding box of the pixels of exactly this colour.
cv::Rect place_of(const cv::Mat& rgb, const cv::Scalar& colour) {
  cv::Mat mask;
  cv::inRange(rgb, colour, colour, mask);
  return cv::boundingRect(mask);
}

TEST(Draw, OutlinesTheBoxInTheColourOfItsClass) {
  for (const int cls : {0, 1, 2, 9}) {
    cv::Mat rgb = plain_picture(960, 960, kGrey);
    draw_detections(rgb, {{{240, 320, 700, 640}, cls, 0.9F}}, {"a", "b", "c"});
    const cv::Vec3b colour = rounded(class_colour(cls));
    EXPECT_EQ(rgb.at<cv::Vec3b>(500, 240), colour);
    EXPECT_EQ(rgb.at<cv::Vec3b>(500, 700), colour);
    EXPECT_EQ(rgb.at<cv::Vec3b>(640, 400), colour);
    EXPECT_TRUE(unchanged(rgb(cv::Rect(252, 370, 436, 258)))) << "inside";
    EXPECT_TRUE(unchanged(rgb(cv::Rect(0, 0, 230, 960)))) << "left of it";
    EXPECT_TRUE(unchanged(rgb(cv::Rect(0, 652, 960, 300)))) << "below";
    EXPECT_FALSE(unchanged(rgb(cv::Rect(240, 270, 200, 45)))) << "the label above";
  }
}

TEST(Draw, ChangesNothingWithoutDetections) {
  cv::Mat rgb = plain_picture(200, 100, kGrey);
  draw_detections(rgb, {}, {"a"});
  EXPECT_TRUE(unchanged(rgb));
}

TEST(Draw, LeavesWeakDetectionsOut) {
  cv::Mat rgb = plain_picture(300, 300, kGrey);
  DrawOptions options;
  options.min_score = 0.5;
  draw_detections(rgb, {{{20, 60, 120, 160}, 0, 0.49F}}, {"a"}, options);
  EXPECT_TRUE(unchanged(rgb));
  draw_detections(rgb, {{{20, 60, 120, 160}, 0, 0.5F}}, {"a"}, options);
  EXPECT_FALSE(unchanged(rgb));
}

TEST(Draw, TheStrongestIsOnTop) {
  cv::Mat rgb = plain_picture(960, 960, kGrey);
  const Box box{240, 320, 700, 640};
  draw_detections(rgb, {{box, 1, 0.9F}, {box, 0, 0.4F}}, {"a", "b"});
  EXPECT_EQ(rgb.at<cv::Vec3b>(500, 700), rounded(class_colour(1)));
}

TEST(Draw, LabelsTellScoreAndSuffix) {
  const auto drawn = [](const DrawOptions& options) {
    cv::Mat rgb = plain_picture(400, 300, kGrey);
    draw_detections(rgb, {{{50, 80, 350, 200}, 0, 0.87F}}, {"person"}, options);
    return rgb;
  };
  DrawOptions no_score, suffix;
  no_score.scores = false;
  suffix.suffix = "teacher";
  EXPECT_GT(cv::norm(drawn({}), drawn(no_score), cv::NORM_INF), 0);
  EXPECT_GT(cv::norm(drawn({}), drawn(suffix), cv::NORM_INF), 0);
}

TEST(Draw, BoxesAtAndBeyondTheEdgesAreDrawnWithinTheImage) {
  for (const auto& [width, height] : {std::pair{640, 480}, {40, 30}, {3, 2}, {1, 1}}) {
    cv::Mat whole(height + 20, width + 20, CV_8UC3, kGrey);
    cv::Mat rgb = whole(cv::Rect(10, 10, width, height));
    const auto w = static_cast<float>(width), h = static_cast<float>(height);
    draw_detections(rgb,
                    {{{-50, -50, w + 50, h + 50}, 0, 0.9F}, {{w - 1, h - 1, w, h}, 1, 0.8F}, {{0, 0, 0, 0}, 2, 0.7F}},
                    {"a class of a rather long name"});
    EXPECT_FALSE(unchanged(rgb));
    EXPECT_TRUE(unchanged(whole(cv::Rect(0, 0, width + 20, 10))));
    EXPECT_TRUE(unchanged(whole(cv::Rect(0, height + 10, width + 20, 10))));
    EXPECT_TRUE(unchanged(whole(cv::Rect(0, 0, 10, height + 20))));
    EXPECT_TRUE(unchanged(whole(cv::Rect(width + 10, 0, 10, height + 20))));
  }
}

TEST(Draw, TagsStandAboveTheirBoxesWhereThereIsRoom) {
  const auto tags = place_tags({{50, 60, 150, 160}, {50.7F, 4, 150, 160}}, {{40, 12}, {40, 12}}, {300, 200});
  EXPECT_EQ(tags[0], cv::Rect(50, 48, 40, 12));
  EXPECT_EQ(tags[1], cv::Rect(50, 4, 40, 12));  // no room above: inside, at the top
}

TEST(Draw, TagsStayInsideTheImage) {
  const cv::Rect whole(0, 0, 100, 80);
  const std::vector<Box> boxes = {{95, 0, 100, 10}, {0, 70, 5, 80}, {0, 0, 100, 80}, {99, 79, 100, 80}, {0, 0, 0, 0}};
  for (const cv::Size size : {cv::Size(40, 12), cv::Size(150, 12), cv::Size(150, 120)}) {
    for (const cv::Rect& tag : place_tags(boxes, std::vector<cv::Size>(boxes.size(), size), whole.size())) {
      EXPECT_EQ(tag & whole, tag);
      EXPECT_EQ(tag.width, std::min(size.width, 100));
      EXPECT_EQ(tag.height, std::min(size.height, 80));
    }
  }
}

TEST(Draw, TagsAvoidEachOther) {
  const std::vector<Box> boxes(4, Box{50, 60, 150, 160});
  const auto tags = place_tags(boxes, std::vector<cv::Size>(4, cv::Size(40, 12)), {300, 200});
  EXPECT_EQ(tags[0], cv::Rect(50, 48, 40, 12));
  for (std::size_t i = 0; i < tags.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) EXPECT_TRUE((tags[i] & tags[k]).empty()) << i << " " << k;
  }
}

TEST(Draw, LinesAndTagsGrowWithTheImage) {
  const auto share = [](int width, int height) {
    cv::Mat rgb = plain_picture(width, height, kGrey), changed;
    const auto w = static_cast<float>(width), h = static_cast<float>(height);
    draw_detections(rgb, {{{w / 4, h / 4, 3 * w / 4, 3 * h / 4}, 0, 0.9F}}, {"person"});
    cv::absdiff(rgb, plain_picture(width, height, kGrey), changed);
    cv::Mat grey;
    cv::cvtColor(changed, grey, cv::COLOR_RGB2GRAY);
    return static_cast<double>(cv::countNonZero(grey)) / (width * height);
  };
  EXPECT_NEAR(share(1600, 1200), share(800, 600), 0.4 * share(800, 600));  // a fixed pen would give half
}

TEST(Draw, ClassColoursDiffer) {
  std::set<std::array<int, 3>> seen;
  for (int cls = 0; cls < 24; ++cls) {
    const cv::Vec3b c = rounded(class_colour(cls));
    seen.insert({c[0], c[1], c[2]});
  }
  EXPECT_EQ(seen.size(), 24u);
}

TEST(Draw, HeatTintsWhereItIsAndNothingElse) {
  cv::Mat heat(4, 4, CV_32FC1, cv::Scalar(0));
  const cv::Mat rgb = plain_picture(64, 64, kGrey);
  EXPECT_TRUE(unchanged(overlay_heat(rgb, heat, {255, 0, 0})));
  heat.at<float>(0, 0) = 1;
  const cv::Mat tinted = overlay_heat(rgb, heat, {255, 0, 0}, 1);
  EXPECT_EQ(tinted.at<cv::Vec3b>(2, 2), cv::Vec3b(255, 0, 0));
  EXPECT_TRUE(unchanged(tinted(cv::Rect(32, 32, 32, 32))));
  EXPECT_TRUE(unchanged(rgb));
  EXPECT_TRUE(unchanged(overlay_heat(rgb, cv::Mat(4, 4, CV_32FC1, cv::Scalar(1)), {9, 8, 7}, 1), {9, 8, 7}));
}

TEST(Draw, BringsTheHeatOfAViewBackOntoTheImage) {
  // An image of 80 x 40, letterboxed into a view of 64 x 64 by 0.8 with 16 pixels above: cells of 4 view pixels.
  const Affine image_to_view{0.8, 0, 0, 0, 0.8, 16};
  cv::Mat heat(16, 16, CV_32FC1, cv::Scalar(0));
  heat.at<float>(8, 5) = 1;  // view pixels 20..24 and 32..36: image pixels 25..30 and 20..25
  const cv::Mat placed = heat_on_image(heat, 4, image_to_view, 80, 40);
  ASSERT_EQ(placed.size(), cv::Size(80, 40));
  cv::Point peak;
  cv::minMaxLoc(placed, nullptr, nullptr, nullptr, &peak);
  EXPECT_EQ(peak, cv::Point(27, 22)) << "the pixel whose centre is the cell's";
  EXPECT_NEAR(placed.at<float>(22, 27), 1, 1e-3);
  EXPECT_NEAR(cv::sum(placed)[0], 25, 0.5) << "a cell covers 5 x 5 pixels";
  EXPECT_EQ(placed.at<float>(5, 27), 0);
}

TEST(Draw, MontageHoldsEveryTileInRowsOfItsColumns) {
  const cv::Scalar red(250, 0, 0), green(0, 250, 0), blue(0, 0, 250);
  const cv::Mat page = montage({{"first", plain_picture(60, 40, red)},
                                {"second", plain_picture(60, 40, green)},
                                {"third", plain_picture(120, 80, blue)}},  // scaled to the first one's height
                               2);
  const cv::Rect r = place_of(page, red), g = place_of(page, green), b = place_of(page, blue);
  for (const cv::Rect& tile : {r, g, b}) EXPECT_EQ(tile.size(), cv::Size(60, 40));
  EXPECT_EQ(r.y, g.y);
  EXPECT_EQ(r.x, b.x);
  EXPECT_GE(g.x, r.x + 60);
  EXPECT_GE(b.y, r.y + 40);
  EXPECT_GE(page.cols, 120);
  EXPECT_LT(page.cols, 140);
  EXPECT_GE(page.rows, 80 + 20);
  EXPECT_LT(page.rows, 160);
  EXPECT_EQ(page.at<cv::Vec3b>(0, 0), cv::Vec3b(255, 255, 255));
  EXPECT_FALSE(unchanged(page(cv::Rect(r.x, 0, 60, r.y)), cv::Scalar::all(255))) << "the caption";
  EXPECT_TRUE(montage({}, 3).empty());
  EXPECT_LT(montage({{"one", plain_picture(60, 40, red)}}, 5).cols, 80);
}

}  // namespace
}  // namespace conclave
