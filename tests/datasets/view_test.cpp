#include "datasets/view.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <thread>

#include "core/random.h"
#include "dataset_folder.h"
#include "datasets/view_recipe.h"

namespace conclave {
namespace {

using ::testing::HasSubstr;

ImageEntry entry_of(const std::string& path, int width, int height) {
  ImageEntry entry;
  entry.path = path;
  entry.width = width;
  entry.height = height;
  return entry;
}

Annotation object_at(const Box& box, bool crowd = false) {
  return {box, 0, crowd, box.area(), 1};
}

ViewOptions geometry_only(int width = 256, int height = 192) {
  ViewOptions options;
  options.width = width;
  options.height = height;
  options.brightness = options.contrast = options.saturation = 0;
  return options;
}

struct OneImage {
  Affine image_to_view;
  double brightness, contrast, saturation;
};

// The choices for a view of one image.
OneImage choices(const ViewKey& key, int width, int height, const ViewOptions& options) {
  const ViewRecipe recipe = view_recipe(key, std::vector<ImageSize>{{width, height}}, options);
  return {recipe.parts.at(0).image_to_view, recipe.brightness, recipe.contrast, recipe.saturation};
}

// A black picture of which the box is white.
cv::Mat marked_picture(int width, int height, const Box& box) {
  cv::Mat rgb = plain_picture(width, height, cv::Scalar::all(0));
  const cv::Rect place(static_cast<int>(box.x0), static_cast<int>(box.y0), static_cast<int>(box.width()),
                       static_cast<int>(box.height()));
  rgb(place).setTo(cv::Scalar::all(255));
  return rgb;
}

struct Marks {
  int pixels = 0;
  Box box{1e9F, 1e9F, -1, -1};
};

// Where the white landed; half covered pixels are 128 bright, the surround is 114.
Marks find_marks(const View& view) {
  Marks marks;
  for (int y = 0; y < view.height; ++y) {
    for (int x = 0; x < view.width; ++x) {
      if (view.pixels[(static_cast<std::size_t>(y) * view.width + x) * 3] < 128) continue;
      ++marks.pixels;
      marks.box.x0 = std::min(marks.box.x0, static_cast<float>(x));
      marks.box.y0 = std::min(marks.box.y0, static_cast<float>(y));
      marks.box.x1 = std::max(marks.box.x1, static_cast<float>(x + 1));
      marks.box.y1 = std::max(marks.box.y1, static_cast<float>(y + 1));
    }
  }
  return marks;
}

void expect_boxes_near(const Box& a, const Box& b, float tolerance) {
  EXPECT_NEAR(a.x0, b.x0, tolerance);
  EXPECT_NEAR(a.y0, b.y0, tolerance);
  EXPECT_NEAR(a.x1, b.x1, tolerance);
  EXPECT_NEAR(a.y1, b.y1, tolerance);
}

TEST(View, PlainViewIsTheImageLetterboxedInTheCentre) {
  const OneImage wide = choices({0, 0, kPlainView}, 100, 50, geometry_only(512, 512));
  EXPECT_DOUBLE_EQ(wide.image_to_view.a, 5.12);
  EXPECT_DOUBLE_EQ(wide.image_to_view.e, 5.12);
  EXPECT_DOUBLE_EQ(wide.image_to_view.b, 0);
  EXPECT_DOUBLE_EQ(wide.image_to_view.d, 0);
  EXPECT_NEAR(wide.image_to_view.c, 0, 1e-9);
  EXPECT_NEAR(wide.image_to_view.f, 128, 1e-9);
  const OneImage tall = choices({3, 9, kPlainView}, 300, 600, geometry_only(256, 192));
  EXPECT_DOUBLE_EQ(tall.image_to_view.a, 0.32);
  EXPECT_NEAR(tall.image_to_view.c, 80, 1e-9);
  EXPECT_NEAR(tall.image_to_view.f, 0, 1e-9);
  EXPECT_EQ(tall.brightness, 1);
  EXPECT_EQ(tall.contrast, 1);
  EXPECT_EQ(tall.saturation, 1);
}

TEST(View, PlainViewIsGreyAroundTheImage) {
  const DatasetFolder folder;
  const std::string path = folder.write("a.jpg", plain_picture(100, 50, {250, 250, 250}));
  const View view = draw_view(entry_of(path, 100, 50), {}, geometry_only(128, 128));
  ASSERT_EQ(view.pixels.size(), 128u * 128u * 3u);
  const auto row = [&](int y) {
    return static_cast<int>(view.pixels[(static_cast<std::size_t>(y) * 128 + 64) * 3 + 1]);
  };
  EXPECT_EQ(row(0), 114);
  EXPECT_EQ(row(30), 114);
  EXPECT_NEAR(row(34), 250, 3);
  EXPECT_NEAR(row(93), 250, 3);
  EXPECT_EQ(row(97), 114);
}

// The boxes of a view must lie where its pixels lie, whatever the zoom, shift, mirroring and scaled decode.
TEST(View, BoxesEncloseThePixelsTheyNameForManySeeds) {
  const DatasetFolder folder;
  ViewOptions options = geometry_only();
  options.shift = 0.4;
  int kept = 0, dropped = 0, mirrored = 0;
  for (const int factor : {1, 3, 9}) {
    const int width = 160 * factor, height = 120 * factor;
    const Box box{4.F * factor, 4.F * factor, 68.F * factor, 44.F * factor};
    ImageEntry image =
        entry_of(folder.write(std::to_string(factor) + ".jpg", marked_picture(width, height, box)), width, height);
    image.annotations = {object_at(box)};
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      SCOPED_TRACE("size " + std::to_string(width) + ", seed " + std::to_string(seed));
      const View view = draw_view(image, {0, 0, seed}, options);
      const Marks marks = find_marks(view);
      mirrored += view.image_to_view.a < 0;
      const double scale = std::abs(view.image_to_view.a);
      if (view.annotations.empty()) {
        ++dropped;
        EXPECT_LT(marks.pixels, 0.35 * box.area() * scale * scale);
        continue;
      }
      ++kept;
      expect_boxes_near(view.annotations[0].box, marks.box, 1.01F);
      EXPECT_NEAR(view.annotations[0].area, box.area() * scale * scale, 1e-3 * box.area() * scale * scale);
    }
  }
  EXPECT_GT(kept, 60);
  EXPECT_GT(dropped, 3);
  EXPECT_GT(mirrored, 30);
}

TEST(View, DropsABoxOfWhichTooLittleIsLeftButKeepsACrowd) {
  const DatasetFolder folder;
  ImageEntry image = entry_of(folder.write("a.jpg", plain_picture(256, 192, {9, 9, 9})), 256, 192);
  ViewOptions options = geometry_only();
  options.flip = 0;
  options.scale_min = options.scale_max = 2;  // the middle half stays: 64..192 x 48..144
  options.shift = 0;
  image.annotations = {object_at({44, 60, 70, 100}), object_at({54, 60, 74, 100}), object_at({44, 60, 70, 100}, true),
                       object_at({0, 0, 30, 30}), object_at({0, 0, 30, 30}, true)};
  for (std::size_t i = 0; i < image.annotations.size(); ++i) image.annotations[i].id = static_cast<std::int64_t>(i);
  const View view = draw_view(image, {0, 0, 7}, options);
  ASSERT_EQ(view.annotations.size(), 2u);  // 6 of 26 columns are too few, 10 of 20 enough; out of sight is out
  EXPECT_EQ(view.annotations[0].id, 1);
  expect_boxes_near(view.annotations[0].box, {0, 24, 20, 104}, 1e-3F);
  EXPECT_EQ(view.annotations[1].id, 2);
  options.min_visible = 0.6;
  EXPECT_EQ(draw_view(image, {0, 0, 7}, options).annotations.size(), 1u);
}

TEST(View, FlipMirrorsPixelsAndBoxes) {
  const DatasetFolder folder;
  const Box box{16, 32, 64, 96};
  ImageEntry image = entry_of(folder.write("a.jpg", marked_picture(256, 192, box)), 256, 192);
  image.annotations = {object_at(box)};
  ViewOptions options = geometry_only();
  options.scale_min = options.scale_max = 1;
  options.shift = 0;
  options.flip = 1;
  const View flipped = draw_view(image, {0, 0, 3}, options);
  expect_boxes_near(flipped.annotations.at(0).box, {192, 32, 240, 96}, 1e-3F);
  expect_boxes_near(find_marks(flipped).box, {192, 32, 240, 96}, 0.1F);
  options.flip = 0;
  const View unflipped = draw_view(image, {0, 0, 3}, options);
  expect_boxes_near(unflipped.annotations.at(0).box, box, 1e-3F);
  EXPECT_EQ(unflipped.pixels, draw_view(image, {0, 0, kPlainView}, options).pixels);
}

TEST(View, RandomChoicesStayWithinTheirOptions) {
  ViewOptions options;
  options.width = options.height = 256;
  int flips = 0;
  double smallest = 10, largest = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    const OneImage g = choices({1, 5, seed}, 128, 128, options);
    flips += g.image_to_view.a < 0;
    const double zoom = g.image_to_view.e / 2;
    smallest = std::min(smallest, zoom);
    largest = std::max(largest, zoom);
    const double centre_x = g.image_to_view.a * 64 + g.image_to_view.c,
                 centre_y = g.image_to_view.e * 64 + g.image_to_view.f;
    EXPECT_LE(std::abs(centre_x - 128), 25.6001);
    EXPECT_LE(std::abs(centre_y - 128), 25.6001);
    for (const double factor : {g.brightness, g.contrast, g.saturation}) {
      EXPECT_GE(factor, 0.8);
      EXPECT_LE(factor, 1.2);
    }
  }
  EXPECT_GT(flips, 150);
  EXPECT_LT(flips, 250);
  EXPECT_GE(smallest, 0.6999);
  EXPECT_LT(smallest, 0.72);
  EXPECT_LE(largest, 1.3501);
  EXPECT_GT(largest, 1.3);
}

TEST(View, JitterChangesColoursWithinItsRange) {
  const DatasetFolder folder;
  const ImageEntry image = entry_of(folder.write("a.jpg", plain_picture(64, 64, {128, 128, 128})), 64, 64);
  ViewOptions options = geometry_only(64, 64);
  options.scale_min = options.scale_max = 1.3;
  options.shift = 0;
  options.brightness = 0.2;
  std::map<int, int> levels;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const int level = draw_view(image, {0, 0, seed}, options).pixels[3 * (32 * 64 + 32)];
    EXPECT_GE(level, 101);
    EXPECT_LE(level, 155);
    ++levels[level];
  }
  EXPECT_GT(levels.size(), 15u);
}

TEST(View, OneKeyGivesTheSameBitsFromAnyThreadAndInAnyOrder) {
  const DatasetFolder folder;
  const std::vector<ImageEntry> images = {entry_of(folder.write("a.jpg", gradient_picture(300, 200)), 300, 200),
                                          entry_of(folder.write("b.jpg", gradient_picture(901, 777)), 901, 777)};
  ViewOptions options;
  options.width = 160;
  options.height = 128;
  std::vector<ViewKey> keys;
  for (std::uint64_t i = 0; i < 24; ++i) keys.push_back({0, static_cast<std::uint32_t>(i % 2), i * 77});
  std::vector<std::vector<std::uint8_t>> expected;
  for (const ViewKey& key : keys) expected.push_back(draw_view(images[key.image], key, options).pixels);
  std::vector<std::thread> threads;
  std::vector<int> equal(4, 0);
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (const std::uint32_t k : permutation(static_cast<std::uint32_t>(keys.size()), t)) {
        equal[t] += draw_view(images[keys[k].image], keys[k], options).pixels == expected[k];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, std::vector<int>(4, 24));
}

TEST(View, OtherSeedsGiveOtherViewsAndItsPlaceAmongTheSetsDoesNot) {
  const DatasetFolder folder;
  const ImageEntry image = entry_of(folder.write("a.jpg", gradient_picture(300, 200)), 300, 200);
  ViewOptions options;
  options.width = options.height = 96;
  const auto pixels = [&](const ViewKey& key) { return draw_view(image, key, options).pixels; };
  const auto first = pixels({0, 0, 1});
  EXPECT_NE(first, pixels({0, 0, 2}));
  EXPECT_EQ(first, pixels({0, 1, 1}));
  EXPECT_EQ(first, pixels({1, 0, 1}));
  EXPECT_NE(first, pixels({0, 0, std::uint64_t{1} << 40}));
}

TEST(View, RefusesAnImageOfAnotherSizeThanItsSetSays) {
  const DatasetFolder folder;
  const std::string path = folder.write("a.jpg", plain_picture(40, 30, {1, 2, 3}));
  EXPECT_THAT(error_of([&] { draw_view(entry_of(path, 30, 40), {}, geometry_only()); }),
              ::testing::AllOf(HasSubstr(path), HasSubstr("40x30"), HasSubstr("30x40")));
  const std::string missing = folder / "missing.jpg";
  EXPECT_THAT(error_of([&] { draw_view(entry_of(missing, 30, 40), {}, geometry_only()); }), HasSubstr(missing));
}

}  // namespace
}  // namespace conclave
