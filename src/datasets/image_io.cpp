#include "datasets/image_io.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <opencv2/imgproc.hpp>
#ifdef CONCLAVE_IMGCODECS
#include <opencv2/imgcodecs.hpp>
#endif

#include "core/error.h"
#include "core/file.h"
#include "datasets/image_header.h"
#include "datasets/jpeg.h"
#include "datasets/reduce.h"

namespace conclave {
namespace {

constexpr int kJpegQuality = 90;

std::string lower_extension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return extension;
}

#ifdef CONCLAVE_IMGCODECS
cv::Mat decode_other(const std::string& bytes, const std::string& where, const ImageHeader& header) {
  const cv::Mat data(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<char*>(bytes.data()));
  cv::Mat bgr;
  try {
    bgr = cv::imdecode(data, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  } catch (const cv::Exception& e) {
    throw Error(std::string("damaged ") + name_of(header.format) + ": " + e.err, where);
  }
  if (bgr.empty() || bgr.cols != header.size.width || bgr.rows != header.size.height) {
    throw Error(std::string("damaged ") + name_of(header.format), where);
  }
  cv::Mat rgb;
  cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
  return rgb;
}

std::string encode_other(const cv::Mat& rgb, const std::string& extension) {
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  std::vector<unsigned char> buffer;
  if (!cv::imencode(extension, bgr, buffer)) throw Error("OpenCV can't write " + extension);
  return {buffer.begin(), buffer.end()};
}
#else
cv::Mat decode_other(const std::string&, const std::string& where, const ImageHeader& header) {
  throw Error(std::string("this build reads JPEG only, not ") + name_of(header.format), where,
              "configure with -DCONCLAVE_IMGCODECS=ON");
}

std::string encode_other(const cv::Mat&, const std::string& extension) {
  throw Error("this build writes JPEG only, not " + extension, {}, "configure with -DCONCLAVE_IMGCODECS=ON");
}
#endif

}  // namespace

ImageSize read_image_size(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error("can't be opened", path);
  std::string start(std::size_t{1} << 16, '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  const bool whole = static_cast<std::size_t>(file.gcount()) < start.size();
  start.resize(static_cast<std::size_t>(file.gcount()));
  // A JPEG's size may follow a megabyte of metadata.
  if (!whole && !parse_image_header(start).complete) start = read_file(path, kMaxImageBytes);
  return require_image_header(start, path).size;
}

cv::Mat decode_image(const std::string& bytes, const std::string& where, int reduce) {
  if (reduce != 1 && reduce != 2 && reduce != 4) throw Error("reduce must be 1, 2 or 4", where);
  const ImageHeader header = require_image_header(bytes, where);
  if (header.format == ImageFormat::kJpeg) return decode_jpeg(bytes, where, reduce);
  return reduce_by_area(decode_other(bytes, where, header), reduce);
}

cv::Mat read_image(const std::string& path, int reduce) {
  return decode_image(read_file(path, kMaxImageBytes), path, reduce);
}

void write_image(const std::string& path, const cv::Mat& rgb) {
  if (rgb.empty() || rgb.type() != CV_8UC3) throw Error("an image to be written must be (H,W,3) uint8", path);
  const std::string extension = lower_extension(path);
  const bool jpeg = extension == ".jpg" || extension == ".jpeg";
  write_file_atomically(path, jpeg ? encode_jpeg(rgb, kJpegQuality) : encode_other(rgb, extension));
}

std::vector<std::string> list_images(const std::string& folder) {
  static const std::array<std::string, 5> known = {".jpg", ".jpeg", ".png", ".bmp", ".webp"};
  std::error_code error;
  std::vector<std::string> paths;
  std::filesystem::directory_iterator it(folder, error);
  if (error) throw Error("the folder can't be read: " + error.message(), folder);
  for (const auto& entry : it) {
    if (std::find(known.begin(), known.end(), lower_extension(entry.path())) == known.end()) continue;
    if (entry.is_regular_file(error)) paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace conclave
