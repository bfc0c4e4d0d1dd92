#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <opencv2/core/mat.hpp>
#include <string>

namespace conclave {

struct VideoShape {
  int width = 0, height = 0;  // pixels
  double fps = 0;             // frames per second; 25 where the file does not say
  std::int64_t frames = 0;    // as the file says; 0: it does not
};

// By its name: .mp4 .avi .mov .mkv .webm .m4v .mpg .mpeg (any case).
bool is_video(const std::filesystem::path& path);

// The frames of a video file, in order. Built without OpenCV's videoio (CONCLAVE_VIDEO=OFF), opening throws Error that
// says so. One thread at a time.
class VideoReader {
 public:
  // Opens local files alone: no addresses, no playlists of other files. Throws Error (where = path) for what is not a
  // video that this machine can decode, or has frames larger than kMaxPixels.
  explicit VideoReader(const std::filesystem::path& path);
  ~VideoReader();
  VideoReader(VideoReader&&) noexcept;

  const VideoShape& shape() const;
  // (H,W,3) uint8 RGB in memory of its own; empty at the end, also where a damaged file ends early.
  cv::Mat read();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Writes a video: .mp4 (MPEG-4) or .avi (Motion JPEG, which every OpenCV can write). The file appears under its name
// when finish() is called; without it nothing is left. One thread at a time.
class VideoWriter {
 public:
  // Throws Error (where = path) when this machine can't encode that.
  VideoWriter(const std::filesystem::path& path, const VideoShape& shape);
  ~VideoWriter();
  VideoWriter(VideoWriter&&) noexcept;

  void write(const cv::Mat& rgb);  // REQUIRES: of the shape's size
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace conclave
