#pragma once

#include <filesystem>
#include <opencv2/imgproc.hpp>
#include <sstream>
#include <string>

#include "core/error.h"
#include "core/file.h"
#include "datasets/dataset.h"
#include "datasets/image_io.h"
#include "support/temporary_folder.h"

namespace conclave {

// An empty folder that goes away with the object; paths are strings, as data sets name them.
class DatasetFolder {
 public:
  std::string path() const { return folder_.path().string(); }
  std::string operator/(const std::string& name) const { return (folder_ / name).string(); }

  // Each returns the path of what it wrote.
  std::string write(const std::string& name, const std::string& bytes) const {
    return folder_.write(name, bytes).string();
  }
  std::string write(const std::string& name, const cv::Mat& rgb) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    write_image(*this / name, rgb);
    return *this / name;
  }

 private:
  TemporaryFolder folder_;
};

// What the Error says that `action` throws; empty where it throws none.
template <class Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

inline cv::Mat plain_picture(int width, int height, const cv::Scalar& colour) {
  return cv::Mat(height, width, CV_8UC3, colour);
}

// Smooth, with every channel different: JPEG keeps it to a few grey levels.
inline cv::Mat gradient_picture(int width, int height) {
  cv::Mat rgb(height, width, CV_8UC3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      rgb.at<cv::Vec3b>(y, x) = {static_cast<std::uint8_t>(20 + 200 * x / width),
                                 static_cast<std::uint8_t>(220 - 180 * y / height),
                                 static_cast<std::uint8_t>(40 + 90 * (x + y) / (width + height))};
    }
  }
  return rgb;
}

}  // namespace conclave
