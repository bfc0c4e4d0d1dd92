#include "datasets/image_io.h"

#include <gmock/gmock.h>
#include <turbojpeg.h>

#include <filesystem>

#include "core/random.h"
#include "dataset_folder.h"
#include "datasets/image_header.h"
#include "datasets/jpeg.h"

namespace conclave {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

double mean_difference(const cv::Mat& a, const cv::Mat& b) {
  return cv::norm(a, b, cv::NORM_L1) / static_cast<double>(a.total() * 3);
}

// Noise keeps the entropy-coded data long, so that cuts fall everywhere in it.
cv::Mat noisy_picture(int width, int height) {
  cv::Mat rgb = gradient_picture(width, height);
  CounterRandom random(5);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) rgb.at<cv::Vec3b>(y, x)[1] = static_cast<std::uint8_t>(random.below(256));
  }
  return rgb;
}

std::string compress(const cv::Mat& pixels, int format, int subsampling, int flags = 0) {
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  const tjhandle handle = tjInitCompress();
  EXPECT_EQ(tjCompress2(handle, pixels.data, pixels.cols, static_cast<int>(pixels.step), pixels.rows, format, &buffer,
                        &size, subsampling, 95, flags),
            0);
  std::string bytes(reinterpret_cast<const char*>(buffer), size);
  tjFree(buffer);
  tjDestroy(handle);
  return bytes;
}

std::string big32(std::uint32_t v) {
  return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8), static_cast<char>(v)};
}

std::string png_header(std::uint32_t width, std::uint32_t height) {
  return std::string("\x89PNG\r\n\x1A\n") + big32(13) + "IHDR" + big32(width) + big32(height) +
         std::string("\x08\x02\0\0\0", 5) + big32(0);
}

void expect_every_cut_throws(const std::string& bytes, const std::string& name, std::size_t step) {
  for (std::size_t length = 0; length < bytes.size(); length += step) {
    const std::string cut = bytes.substr(0, length);
    const int reduce = length % 4 == 0 ? 4 : 1;
    ASSERT_THAT(error_of([&] { decode_image(cut, name, reduce); }), HasSubstr(name))
        << length << " of " << bytes.size() << " bytes, reduced by " << reduce;
  }
}

TEST(ImageIo, JpegRoundTripKeepsSizeAndColours) {
  const DatasetFolder folder;
  const cv::Mat picture = gradient_picture(101, 53);
  const std::string path = folder.write("a.JPG", picture);
  const cv::Mat again = read_image(path);
  ASSERT_EQ(again.size(), picture.size());
  ASSERT_EQ(again.type(), CV_8UC3);
  EXPECT_LT(mean_difference(again, picture), 3);
  EXPECT_EQ(read_image_size(path).width, 101);
  EXPECT_EQ(read_image_size(path).height, 53);
}

TEST(ImageIo, RedStaysTheFirstChannel) {
  const DatasetFolder folder;
  const cv::Vec3b pixel = read_image(folder.write("a.jpg", plain_picture(32, 32, {230, 20, 60}))).at<cv::Vec3b>(9, 9);
  EXPECT_NEAR(pixel[0], 230, 4);
  EXPECT_NEAR(pixel[1], 20, 4);
  EXPECT_NEAR(pixel[2], 60, 4);
}

TEST(ImageIo, ReducedJpegIsTheImageScaledByArea) {
  const DatasetFolder folder;
  const cv::Mat picture = gradient_picture(101, 53);
  const std::string path = folder.write("a.jpg", picture);
  for (const int reduce : {2, 4}) {
    const cv::Mat reduced = read_image(path, reduce);
    EXPECT_EQ(reduced.cols, (101 + reduce - 1) / reduce);
    EXPECT_EQ(reduced.rows, (53 + reduce - 1) / reduce);
    const cv::Rect whole(0, 0, 101 / reduce, 53 / reduce);  // without the partly filled last row and column
    cv::Mat expected;
    cv::resize(picture(cv::Rect(0, 0, whole.width * reduce, whole.height * reduce)), expected, whole.size(), 0, 0,
               cv::INTER_AREA);
    EXPECT_LT(mean_difference(reduced(whole), expected), 4);
  }
  EXPECT_NE(error_of([&] { read_image(path, 3); }), "");
}

TEST(ImageIo, GreyJpegIsReadAsThreeEqualChannels) {
  const cv::Mat grey(40, 56, CV_8UC1, cv::Scalar(77));
  const cv::Mat rgb = decode_image(compress(grey, TJPF_GRAY, TJSAMP_GRAY), "grey");
  ASSERT_EQ(rgb.type(), CV_8UC3);
  EXPECT_EQ(rgb.at<cv::Vec3b>(20, 20), cv::Vec3b(77, 77, 77));
}

TEST(ImageIo, CmykJpegIsReadAsAdobeStoresIt) {
  // Inverted: 255 is no ink. A little cyan, much magenta, half of the black.
  const cv::Mat cmyk(32, 32, CV_8UC4, cv::Scalar(200, 40, 255, 128));
  const cv::Mat rgb = decode_image(compress(cmyk, TJPF_CMYK, TJSAMP_444), "cmyk");
  ASSERT_EQ(rgb.type(), CV_8UC3);
  const cv::Vec3b pixel = rgb.at<cv::Vec3b>(16, 16);
  EXPECT_NEAR(pixel[0], 100, 3);
  EXPECT_NEAR(pixel[1], 20, 3);
  EXPECT_NEAR(pixel[2], 128, 3);
}

TEST(ImageIo, AJpegCutAnywhereIsAnErrorThatNamesTheFile) {
  const cv::Mat picture = noisy_picture(45, 37);
  const std::string bytes = encode_jpeg(picture, 90);
  expect_every_cut_throws(bytes, "baseline.jpg", 1);
  expect_every_cut_throws(compress(picture, TJPF_RGB, TJSAMP_420, TJFLAG_PROGRESSIVE), "progressive.jpg", 3);
  const DatasetFolder folder;
  const std::string path = folder.write("cut.jpg", bytes.substr(0, bytes.size() - 2));
  EXPECT_THAT(error_of([&] { read_image(path); }), HasSubstr(path));
}

TEST(ImageIo, ASoundJpegIsReadAfterADamagedOne) {
  const std::string bytes = encode_jpeg(noisy_picture(61, 45), 90);
  const cv::Mat expected = decode_image(bytes, "sound.jpg");
  for (std::size_t length = 100; length < bytes.size(); length += 50) {
    EXPECT_NE(error_of([&] { decode_image(bytes.substr(0, length), "cut.jpg"); }), "");
    ASSERT_EQ(mean_difference(decode_image(bytes, "sound.jpg"), expected), 0) << "after one of " << length << " bytes";
  }
}

TEST(ImageIo, DamagedJpegDataIsNeverFilledWithGrey) {
  const std::string bytes = encode_jpeg(noisy_picture(61, 45), 90);
  std::string cleared = bytes;
  cleared.replace(bytes.size() / 2, 40, 40, '\xFF');
  EXPECT_THAT(error_of([&] { decode_image(cleared, "damaged.jpg"); }), HasSubstr("damaged.jpg"));
}

TEST(ImageIo, WhatIsNoImageIsAnErrorThatNamesTheFile) {
  const DatasetFolder folder;
  const std::string text = folder.write("text.jpg", std::string("not an image at all"));
  EXPECT_THAT(error_of([&] { read_image(text); }), AllOf(HasSubstr(text), HasSubstr("not an image")));
  EXPECT_THAT(error_of([&] { read_image_size(text); }), HasSubstr(text));
  const std::string empty = folder.write("empty.jpg", std::string());
  EXPECT_THAT(error_of([&] { read_image(empty); }), AllOf(HasSubstr(empty), HasSubstr("empty")));
  const std::string missing = folder / "missing.jpg";
  EXPECT_THAT(error_of([&] { read_image(missing); }), HasSubstr(missing));
  EXPECT_THAT(error_of([&] { read_image_size(missing); }), HasSubstr(missing));
  EXPECT_NE(error_of([&] { read_image(folder.path()); }), "");
}

TEST(ImageIo, AnImageOfTooManyPixelsIsRefusedByItsHeader) {
  const DatasetFolder folder;
  const std::string path = folder.write("huge.png", png_header(60000, 60000));  // there are no pixels to decode
  EXPECT_THAT(error_of([&] { read_image(path); }),
              AllOf(HasSubstr(path), HasSubstr("60000x60000"), HasSubstr("megapixels")));
  EXPECT_THAT(error_of([&] { read_image_size(path); }), HasSubstr("60000x60000"));
  EXPECT_NE(error_of([&] { decode_image(png_header(0xFFFFFFFFu, 0xFFFFFFFFu), "p"); }), "");
  EXPECT_THAT(error_of([&] { decode_image(png_header(0, 7), "p"); }), HasSubstr("0x7"));
  std::string jpeg = encode_jpeg(plain_picture(16, 16, {1, 2, 3}), 90);
  const std::size_t frame = jpeg.find("\xFF\xC0");
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, "\xEA\x60\xEA\x60");
  EXPECT_THAT(error_of([&] { decode_image(jpeg, "p"); }), HasSubstr("60000x60000"));
}

TEST(ImageIo, AJpegSizeIsFoundBehindAMegabyteOfMetadata) {
  const DatasetFolder folder;
  const std::string jpeg = encode_jpeg(plain_picture(48, 32, {1, 2, 3}), 90);
  std::string metadata;
  for (int i = 0; i < 20; ++i) metadata += std::string("\xFF\xE1\xFF\xFF", 4) + std::string(65533, 'x');
  const std::string path = folder.write("a.jpg", jpeg.substr(0, 2) + metadata + jpeg.substr(2));
  EXPECT_EQ(read_image_size(path).width, 48);
  EXPECT_EQ(read_image_size(path).height, 32);
  EXPECT_EQ(read_image(path).cols, 48);
}

TEST(ImageIo, ListsImagesByNameWhateverTheirCase) {
  const DatasetFolder folder;
  for (const char* name : {"b.JPG", "a.png", "c.jpeg", "notes.txt", "e.WebP", "d.bmp", "jpg"}) {
    folder.write(name, std::string("x"));
  }
  std::filesystem::create_directories(folder / "folder.jpg");
  std::vector<std::string> names;
  for (const std::string& path : list_images(folder.path())) {
    names.push_back(std::filesystem::path(path).filename().string());
  }
  EXPECT_THAT(names, ElementsAre("a.png", "b.JPG", "c.jpeg", "d.bmp", "e.WebP"));
  EXPECT_THAT(error_of([&] { list_images(folder / "none"); }), HasSubstr(folder / "none"));
}

#ifdef CONCLAVE_IMGCODECS
TEST(ImageIo, LosslessFormatsRoundTripExactly) {
  const DatasetFolder folder;
  const cv::Mat picture = noisy_picture(37, 29);
  for (const char* name : {"a.png", "a.bmp"}) {
    const std::string path = folder.write(name, picture);
    const cv::Mat again = read_image(path);
    ASSERT_EQ(again.size(), picture.size()) << name;
    EXPECT_EQ(mean_difference(again, picture), 0) << name;
    EXPECT_EQ(read_image_size(path).width, 37) << name;
    EXPECT_EQ(read_image_size(path).height, 29) << name;
    for (const int reduce : {2, 4}) {
      EXPECT_EQ(read_image(path, reduce).cols, (37 + reduce - 1) / reduce) << name;
      EXPECT_EQ(read_image(path, reduce).rows, (29 + reduce - 1) / reduce) << name;
    }
  }
}

TEST(ImageIo, WebpHeaderStatesTheSizeThatIsDecoded) {
  const DatasetFolder folder;
  const std::string path = folder.write("a.webp", gradient_picture(75, 34));
  EXPECT_EQ(read_image_size(path).width, 75);
  EXPECT_EQ(read_image_size(path).height, 34);
  EXPECT_LT(mean_difference(read_image(path), gradient_picture(75, 34)), 6);
}

TEST(ImageIo, APngCutAnywhereInItsPixelsIsAnError) {
  const DatasetFolder folder;
  const std::string bytes = read_file(folder.write("whole.png", noisy_picture(31, 23)));
  expect_every_cut_throws(bytes.substr(0, bytes.size() - 16), "cut.png", 7);
}
#endif

}  // namespace
}  // namespace conclave
