#include "datasets/view_recipe.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>
#include <span>
#include <thread>

#include "core/hash.h"
#include "dataset_folder.h"

namespace conclave {
namespace {

ViewOptions plain_options(int width = 128, int height = 96) {
  ViewOptions options;
  options.width = width;
  options.height = height;
  options.flip = options.shift = options.brightness = options.contrast = options.saturation = 0;
  options.scale_min = options.scale_max = 1;
  return options;
}

ViewOptions everything() {
  ViewOptions options;
  options.width = 160;
  options.height = 128;
  options.hue = 0.1;
  options.grey = 0.2;
  options.blur = options.erase = options.mosaic = options.mix = 0.5;
  return options;
}

std::vector<ImageSize> sizes_for(const ViewKey& key, const ViewOptions& options) {
  return std::vector<ImageSize>(1 + further_images(key, 5, options).size(), {300, 200});
}

ViewRecipe recipe_of(std::uint64_t seed, const ViewOptions& options) {
  return view_recipe({0, 0, seed}, sizes_for({0, 0, seed}, options), options);
}

std::string digest(const View& view) {
  return sha256(std::as_bytes(std::span(view.pixels))).substr(0, 16);
}

Box centre_box(int width, int height) {
  return {width * 0.25F, height * 0.25F, width * 0.75F, height * 0.75F};
}

// Pictures of one colour each, every one with one box of its own class in the middle.
class ViewOfSet : public ::testing::Test {
 protected:
  ViewOfSet() {
    set_.name = "pictures";
    const cv::Scalar colours[] = {{200, 40, 40}, {40, 200, 40}, {40, 40, 200}, {200, 200, 40}, {40, 200, 200}};
    for (int i = 0; i < 5; ++i) add(i, plain_picture(128, 96, colours[i]));
  }

  void add(int cls, const cv::Mat& picture) {
    ImageEntry image;
    image.path = folder_.write(std::to_string(cls) + ".jpg", picture);
    image.width = picture.cols;
    image.height = picture.rows;
    const Box box = centre_box(picture.cols, picture.rows);
    image.annotations.push_back({box, cls, false, box.area(), cls + 1});
    set_.images.push_back(image);
  }

  static const std::uint8_t* pixel(const View& view, int x, int y) {
    return &view.pixels[(static_cast<std::size_t>(y) * view.width + x) * 3];
  }

  // Which picture a pixel is from; -1: grey.
  static int picture_at(const View& view, int x, int y) {
    const std::uint8_t* p = pixel(view, x, y);
    const int bits = (p[0] > 120 ? 1 : 0) + (p[1] > 120 ? 2 : 0) + (p[2] > 120 ? 4 : 0);
    switch (bits) {
      case 1:
        return 0;
      case 2:
        return 1;
      case 4:
        return 2;
      case 3:
        return 3;
      case 6:
        return 4;
      default:
        return -1;
    }
  }

  const DatasetFolder folder_;
  Dataset set_;
};

TEST(ViewRecipe, IsOneImageAndNothingElseUnlessMoreIsAskedFor) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const ViewKey key{0, 0, seed};
    const ViewOptions options;
    EXPECT_TRUE(further_images(key, 5, options).empty());
    const ViewRecipe recipe = recipe_of(seed, options);
    EXPECT_EQ(recipe.parts.size(), 1u);
    EXPECT_EQ(recipe.mix, 0);
    EXPECT_EQ(recipe.hue, 0);
    EXPECT_EQ(recipe.blur, 0);
    EXPECT_TRUE(recipe.erased.empty());
  }
}

TEST(ViewRecipe, OfAPlainViewIsTheImageAloneWhateverTheOptions) {
  ViewOptions options = everything();
  options.grey = options.blur = options.erase = options.mosaic = options.mix = 1;
  EXPECT_TRUE(further_images({0, 0, kPlainView}, 5, options).empty());
  const ViewRecipe recipe = recipe_of(kPlainView, options);
  EXPECT_EQ(recipe.parts.size(), 1u);
  EXPECT_EQ(recipe.saturation, 1);
  EXPECT_EQ(recipe.hue, 0);
  EXPECT_EQ(recipe.blur, 0);
  EXPECT_TRUE(recipe.erased.empty());
}

TEST(ViewRecipe, TurningOneOptionOnLeavesWhatTheOthersChoose) {
  for (std::uint64_t seed = 1; seed < 200; ++seed) {
    const ViewRecipe all = recipe_of(seed, everything()), basic = recipe_of(seed, ViewOptions{});
    EXPECT_EQ(all.brightness, basic.brightness);
    EXPECT_EQ(all.contrast, basic.contrast);
    ViewOptions less = everything();
    less.mosaic = less.mix = 0;
    const ViewRecipe without = recipe_of(seed, less);
    EXPECT_EQ(all.blur, without.blur);
    EXPECT_EQ(all.hue, without.hue);
    EXPECT_EQ(all.erased.x0, without.erased.x0);
    EXPECT_EQ(all.erased.y1, without.erased.y1);
    EXPECT_EQ(all.saturation, without.saturation);
  }
}

TEST(ViewRecipe, StaysWithinItsOptionsAndHappensAsOftenAsTheySay) {
  const ViewOptions options = everything();
  int mosaics = 0, mixed = 0, blurred = 0, erased = 0, grey = 0;
  constexpr int kSeeds = 2000;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const ViewKey key{0, 0, seed};
    for (const std::uint32_t other : further_images(key, 5, options)) EXPECT_LT(other, 5u);
    const ViewRecipe recipe = recipe_of(seed, options);
    mixed += recipe.mix > 0;
    mosaics += recipe.parts.size() >= 4;
    blurred += recipe.blur > 0;
    erased += !recipe.erased.empty();
    grey += recipe.saturation == 0;
    EXPECT_LE(std::abs(recipe.hue), 0.1 + 1e-3);
    if (recipe.mix > 0) {
      EXPECT_GE(recipe.mix, 0.3 - 0.002);
      EXPECT_LE(recipe.mix, 0.5);
    }
    if (recipe.blur > 0) {
      EXPECT_GE(recipe.blur, 0.5);
      EXPECT_LE(recipe.blur, 2);
    }
    const ViewArea& area = recipe.erased;
    EXPECT_GE(area.x0, 0);
    EXPECT_LE(area.x1, 160);
    EXPECT_GE(area.y0, 0);
    EXPECT_LE(area.y1, 128);
    EXPECT_LE((area.x1 - area.x0) * (area.y1 - area.y0), 0.21 * 160 * 128);
  }
  for (const int half : {mosaics, mixed, blurred, erased}) EXPECT_NEAR(half, kSeeds / 2, 120);
  EXPECT_NEAR(grey, kSeeds / 5, 80);
}

TEST(ViewRecipe, TheTilesOfAMosaicCoverTheViewOnce) {
  ViewOptions options = everything();
  options.mosaic = 1;
  options.mix = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const ViewRecipe recipe = recipe_of(seed, options);
    ASSERT_EQ(recipe.parts.size(), 4u);
    std::vector<int> covered(160 * 128, 0);
    for (const ViewPart& part : recipe.parts) {
      for (int y = part.area.y0; y < part.area.y1; ++y) {
        for (int x = part.area.x0; x < part.area.x1; ++x) ++covered[static_cast<std::size_t>(y * 160 + x)];
      }
      EXPECT_GE(part.area.x1 - part.area.x0, 0.29 * 160);
      EXPECT_GE(part.area.y1 - part.area.y0, 0.29 * 128);
    }
    EXPECT_EQ(covered, std::vector<int>(160 * 128, 1));
  }
}

TEST(ViewRecipe, RefusesAnotherNumberOfImages) {
  ViewOptions options = everything();
  options.mosaic = 1;
  options.mix = 0;
  EXPECT_THAT(error_of([&] {
                view_recipe({0, 0, 1}, std::vector<ImageSize>(2, {10, 10}), options);
              }),
              testing::HasSubstr("a view of 4 images, of which 2 are given"));
}

TEST_F(ViewOfSet, AMosaicShowsEachImageWithItsBoxesInItsTile) {
  ViewOptions options = plain_options();
  options.flip = 0.5;
  options.mosaic = 1;
  options.mosaic_min = 0.4;
  options.mosaic_max = 1.2;
  options.min_visible = 0.05;
  int boxes = 0;
  std::set<int> seen;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const ViewKey key{0, static_cast<std::uint32_t>(seed % 5), seed};
    const View view = draw_view(set_, key, options);
    for (const Annotation& a : view.annotations) {
      ++boxes;
      seen.insert(a.cls);
      const auto at = [&](float x, float y) { return picture_at(view, static_cast<int>(x), static_cast<int>(y)); };
      EXPECT_EQ(at((a.box.x0 + a.box.x1) / 2, (a.box.y0 + a.box.y1) / 2), a.cls);
      // Two pixels from the tile's edge colours may be blended.
      if (a.box.width() < 6 || a.box.height() < 6) continue;
      EXPECT_EQ(at(a.box.x0 + 2, a.box.y0 + 2), a.cls);
      EXPECT_EQ(at(a.box.x1 - 3, a.box.y1 - 3), a.cls);
    }
  }
  EXPECT_GT(boxes, 120);
  EXPECT_EQ(seen.size(), 5u) << "images of the set are drawn from, all of them";
}

TEST_F(ViewOfSet, AMixedViewIsBothPicturesAndHasTheBoxesOfBoth) {
  ViewOptions options = plain_options();
  options.mix = 1;
  options.mix_min = 0.25;
  options.mix_max = 0.25;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const ViewKey key{0, 0, seed};
    const std::uint32_t other = further_images(key, 5, options).at(0);
    const View view = draw_view(set_, key, options);
    const View own = draw_view(set_.images[0], {0, 0, kPlainView}, options),
               theirs = draw_view(set_.images[other], {0, 0, kPlainView}, options);
    for (int c = 0; c < 3; ++c) {
      const int expected = (192 * pixel(own, 64, 48)[c] + 64 * pixel(theirs, 64, 48)[c] + 128) >> 8;
      EXPECT_EQ(pixel(view, 64, 48)[c], expected);
    }
    ASSERT_EQ(view.annotations.size(), 2u);
    EXPECT_EQ(view.annotations[0].cls, 0);
    EXPECT_EQ(view.annotations[1].cls, static_cast<int>(other));
    EXPECT_NEAR(view.annotations[1].box.x0, 32, 1e-3);
  }
}

TEST_F(ViewOfSet, AMixedViewOfTheLeastShareStillShowsItsOwnPicture) {
  ViewOptions options = plain_options();
  options.mix = 1;
  options.mix_min = 0;
  options.mix_max = 0.001;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const ViewKey key{0, 0, seed};
    const View view = draw_view(set_, key, options), own = draw_view(set_.images[0], {0, 0, kPlainView}, options);
    for (int c = 0; c < 3; ++c) EXPECT_NEAR(pixel(view, 64, 48)[c], pixel(own, 64, 48)[c], 1);
  }
}

TEST_F(ViewOfSet, BlurSoftensEdgesAndLeavesEvenPlaces) {
  cv::Mat halves = plain_picture(128, 96, cv::Scalar::all(40));
  halves(cv::Rect(64, 0, 64, 96)).setTo(cv::Scalar::all(200));
  ImageEntry image;
  image.path = folder_.write("halves.png", halves);
  image.width = 128;
  image.height = 96;
  ViewOptions options = plain_options();
  const View sharp = draw_view(image, {0, 0, 1}, options);
  options.blur = 1;
  options.blur_min = options.blur_max = 2;
  const View soft = draw_view(image, {0, 0, 1}, options);
  EXPECT_EQ(pixel(sharp, 63, 50)[0], 40);
  EXPECT_EQ(pixel(sharp, 64, 50)[0], 200);
  // The integral of a Gaussian of sigma 2, half a pixel and 2.5 pixels from the edge.
  EXPECT_NEAR(pixel(soft, 63, 50)[0], 40 + 160 * 0.5 * std::erfc(0.5 / 2 / std::sqrt(2.0)), 2);
  EXPECT_NEAR(pixel(soft, 61, 50)[0], 40 + 160 * 0.5 * std::erfc(2.5 / 2 / std::sqrt(2.0)), 2);
  EXPECT_EQ(pixel(soft, 20, 50)[0], 40);
  EXPECT_EQ(pixel(soft, 110, 0)[0], 200);
}

TEST_F(ViewOfSet, AnErasedRectangleIsGreyAndABoxBehindItIsDropped) {
  ViewOptions options = plain_options();
  options.erase = 1;
  options.erase_min = 0.05;
  options.erase_max = 0.5;
  set_.images[1].annotations.push_back({centre_box(128, 96), 4, true, 10, 9});
  int dropped = 0, kept = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const View view = draw_view(set_, {0, 1, seed}, options);
    int hidden = 0, grey = 0;
    for (int y = 0; y < 96; ++y) {
      for (int x = 0; x < 128; ++x) {
        const std::uint8_t* p = pixel(view, x, y);
        if (p[0] != 114 || p[1] != 114 || p[2] != 114) continue;
        ++grey;
        hidden += x >= 32 && x < 96 && y >= 24 && y < 72;
      }
    }
    EXPECT_GT(grey, 0.04 * 128 * 96);
    const bool there = hidden <= 0.7 * 64 * 48;
    ASSERT_EQ(view.annotations.size(), there ? 2u : 1u);
    EXPECT_TRUE(view.annotations.back().crowd) << "a crowd region stays";
    ++(there ? kept : dropped);
  }
  EXPECT_GT(kept, 10);
  EXPECT_GT(dropped, 3);
}

TEST_F(ViewOfSet, HueTurnsColoursAndLeavesGreyAndBrightness) {
  ViewOptions options = plain_options();
  options.hue = 0.5;
  add(0, plain_picture(128, 96, {150, 100, 90}));
  int turned = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const View view = draw_view(set_, {0, 5, seed}, options);
    const std::uint8_t* p = pixel(view, 64, 48);
    EXPECT_NEAR(p[0] + p[1] + p[2], 340, 4);
    turned += std::abs(p[0] - 150) > 10;
  }
  EXPECT_GT(turned, 10);
  add(0, plain_picture(128, 96, cv::Scalar::all(90)));
  const View grey = draw_view(set_, {0, 6, 3}, options);
  for (int c = 0; c < 3; ++c) EXPECT_NEAR(pixel(grey, 64, 48)[c], 90, 1);
}

TEST_F(ViewOfSet, AGreyViewHasNoColour) {
  ViewOptions options = plain_options();
  options.grey = 1;
  const std::uint8_t* p = nullptr;
  const View view = draw_view(set_, {0, 0, 3}, options);
  p = pixel(view, 64, 48);
  EXPECT_NEAR(p[0], 0.299 * 200 + 0.587 * 40 + 0.114 * 40, 2);
  EXPECT_EQ(p[0], p[1]);
  EXPECT_EQ(p[1], p[2]);
}

TEST_F(ViewOfSet, RefusesAnImageThatItDoesNotHave) {
  EXPECT_THAT(error_of([&] { draw_view(set_, {0, 5, 1}, plain_options()); }), testing::HasSubstr("set pictures"));
}

// Whoever changes these bits makes stored targets wrong: kKeyVersion in target_key.cpp grows with them.
class ViewBits : public ::testing::Test {
 protected:
  ViewBits() {
    for (const auto& [width, height] : {std::pair{300, 200}, {901, 777}, {64, 240}}) {
      ImageEntry image;
      image.path = folder_.write(std::to_string(width) + ".png", gradient_picture(width, height));
      image.width = width;
      image.height = height;
      image.annotations.push_back({{20, 30, 120, 150}, 0, false, 12000, 1});
      set_.images.push_back(image);
    }
  }

  const DatasetFolder folder_;
  Dataset set_;
};

TEST_F(ViewBits, OfBasicViewsAreThoseOfTheFirstVersion) {  // which drew one image and nothing else
  ViewOptions options;
  options.width = 160;
  options.height = 128;
  const auto expect = [&](std::uint32_t image, std::uint64_t seed, const std::string& bits, const Box& box) {
    const View view = draw_view(set_, {0, image, seed}, options);
    EXPECT_EQ(digest(view), bits) << image << " " << seed;
    ASSERT_EQ(view.annotations.size(), 1u);
    const Box& drawn = view.annotations[0].box;
    EXPECT_EQ(drawn.x0, box.x0);
    EXPECT_EQ(drawn.y0, box.y0);
    EXPECT_EQ(drawn.x1, box.x1);
    EXPECT_EQ(drawn.y1, box.y1);
  };
  expect(0, 0, "cbcbdb1fce7ff12f", {0x1.555556p+3F, 0x1.aaaaaap+4F, 0x1p+6F, 0x1.6aaaaap+6F});
  expect(0, 1, "960c7bfe841ebf83", {0x1.c66c5p+3F, 0x1.8fb2c4p+4F, 0x1.14328ap+6F, 0x1.6b32bp+6F});
  expect(0, 2, "5eb16f61b7a05f65", {0x1.5e6f46p+6F, 0x1.a4bc2cp+4F, 0x1.3cdd4ep+7F, 0x1.bd230cp+6F});
  expect(1, 0, "1c3c764a96496c33", {0x1.229838p+3F, 0x1.3c4b1ep+2F, 0x1.98e00ap+4F, 0x1.8b5de6p+4F});
  expect(1, 1, "2c681311a74b4fc3", {0x1.923e26p+3F, 0x1.51d57p+1F, 0x1.d8302p+4F, 0x1.6f8258p+4F});
  expect(1, 77, "c8e92412b7d423f8", {0x1.08cd94p+7F, 0, 0x1.2fa052p+7F, 0x1.d99e96p+3F});
}

TEST_F(ViewBits, OfViewsWithEverythingStay) {
  const std::vector<std::string> expected = {"980afeeb063de991", "88f06c54e1c7e853", "a98091178fac679d",
                                             "7efb8ccdcfedac9d", "cea5ec7209a34953", "e897c3aa53ca48d6",
                                             "5e99240104e43c8d", "e3811c0d967fbb2f"};
  std::vector<std::string> bits;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    bits.push_back(digest(draw_view(set_, {0, static_cast<std::uint32_t>(seed % 3), seed}, everything())));
  }
  EXPECT_EQ(bits, expected);
}

TEST_F(ViewBits, AreTheSameFromAnyThreadWithEverything) {
  std::vector<std::string> expected;
  for (std::uint64_t seed = 1; seed <= 24; ++seed)
    expected.push_back(digest(draw_view(set_, {0, 0, seed}, everything())));
  std::vector<std::thread> threads;
  std::vector<std::vector<std::string>> drawn(3, std::vector<std::string>(24));
  for (std::size_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t n = 0; n < 24; ++n) {
        const std::uint64_t i = (n * 7 + t * 5) % 24;
        drawn[t][i] = digest(draw_view(set_, {0, 0, i + 1}, everything()));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& bits : drawn) EXPECT_EQ(bits, expected);
}

}  // namespace
}  // namespace conclave
