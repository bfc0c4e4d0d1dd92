#include "datasets/video.h"

#include <gmock/gmock.h>

#include "dataset_folder.h"
#include "datasets/frame_view.h"
#include "datasets/view.h"

namespace conclave {
namespace {

bool has_video(const DatasetFolder& folder) {
  return error_of([&] {
           VideoWriter(folder / "try.avi", {64, 48, 10, 0});
         }).find("CONCLAVE_VIDEO") == std::string::npos;
}

void write_video(const std::string& path, int frames) {
  VideoWriter writer(path, {64, 48, 10, 0});
  for (int i = 0; i < frames; ++i) writer.write(plain_picture(64, 48, cv::Scalar(20 * i, 100, 200)));
  writer.finish();
}

TEST(Video, IsKnownByItsName) {
  EXPECT_TRUE(is_video("a/b.MP4"));
  EXPECT_TRUE(is_video("x.avi"));
  EXPECT_FALSE(is_video("x.jpg"));
  EXPECT_FALSE(is_video("mp4"));
}

TEST(Video, FramesComeBackInOrderAndColour) {
  const DatasetFolder folder;
  if (!has_video(folder)) GTEST_SKIP() << "built without video";
  write_video(folder / "v.avi", 10);
  VideoReader reader(folder / "v.avi");
  EXPECT_EQ(reader.shape().width, 64);
  EXPECT_EQ(reader.shape().height, 48);
  EXPECT_NEAR(reader.shape().fps, 10, 1e-6);
  int frames = 0;
  for (cv::Mat rgb = reader.read(); !rgb.empty(); rgb = reader.read(), ++frames) {
    const cv::Scalar mean = cv::mean(rgb);
    EXPECT_NEAR(mean[0], 20 * frames, 6);
    EXPECT_NEAR(mean[1], 100, 6);
    EXPECT_NEAR(mean[2], 200, 6);
  }
  EXPECT_EQ(frames, 10);
}

TEST(Video, NothingIsLeftOfAVideoThatWasNotFinished) {
  const DatasetFolder folder;
  if (!has_video(folder)) GTEST_SKIP() << "built without video";
  {
    VideoWriter writer(folder / "v.avi", {64, 48, 10, 0});
    writer.write(plain_picture(64, 48, cv::Scalar::all(0)));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Video, WhatIsNoVideoIsRefused) {
  const DatasetFolder folder;
  if (!has_video(folder)) GTEST_SKIP() << "built without video";
  folder.write("v.mp4", std::string("not a video at all"));
  EXPECT_THAT(error_of([&] { VideoReader(folder / "v.mp4"); }), testing::HasSubstr("v.mp4"));
  EXPECT_THAT(error_of([&] { VideoReader(folder / "missing.mp4"); }), testing::HasSubstr("missing.mp4"));
  EXPECT_THAT(error_of([&] { VideoWriter(folder / "v.mkv", {64, 48, 10, 0}); }), testing::HasSubstr(".mp4 or .avi"));
}

TEST(FrameView, IsTheViewOfAFileWithThesePixels) {
  const DatasetFolder folder;
  for (const auto& [width, height] : {std::pair{300, 100}, {90, 200}, {1000, 700}, {128, 96}}) {
    const cv::Mat rgb = gradient_picture(width, height);
    ImageEntry entry;
    entry.path = folder.write("p.bmp", rgb);
    entry.width = width;
    entry.height = height;
    ViewOptions options;
    options.width = 128;
    options.height = 96;
    const View frame = draw_frame(rgb, options), file = draw_view(entry, ViewKey{}, options);
    EXPECT_EQ(frame.pixels, file.pixels) << width << "x" << height;
    EXPECT_EQ(frame.image_to_view.a, file.image_to_view.a);
    EXPECT_EQ(frame.image_to_view.c, file.image_to_view.c);
    EXPECT_EQ(frame.image_to_view.f, file.image_to_view.f);
  }
}

}  // namespace
}  // namespace conclave
