#include "datasets/video.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/imgproc.hpp>
#ifdef CONCLAVE_VIDEO
#include <cstdlib>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/videoio.hpp>
#endif

#include "core/error.h"
#include "datasets/image_io.h"

namespace conclave {
namespace {

std::string lower_extension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return extension;
}

}  // namespace

bool is_video(const std::filesystem::path& path) {
  static const std::array<std::string, 8> known = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"};
  return std::find(known.begin(), known.end(), lower_extension(path)) != known.end();
}

#ifdef CONCLAVE_VIDEO

namespace {

// Its decoders tell the terminal about every damaged frame; what matters is said by us. A video must not make FFmpeg
// open anything but itself.
void prepare_opencv() {
  [[maybe_unused]] static const bool once = [] {
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    setenv("OPENCV_FFMPEG_LOGLEVEL", "-8", 0);
    setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "protocol_whitelist;file", 1);
    return true;
  }();
}

}  // namespace

struct VideoReader::State {
  cv::VideoCapture capture;
  VideoShape shape;
  std::string where;
};

VideoReader::VideoReader(const std::filesystem::path& path) : state_(std::make_unique<State>()) {
  prepare_opencv();
  state_->where = path.string();
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) throw Error("can't be opened", state_->where);
  const std::string file = std::filesystem::absolute(path).string();  // never taken for an address
  cv::VideoCapture& capture = state_->capture;
  try {
    for (const int backend : {cv::CAP_FFMPEG, cv::CAP_OPENCV_MJPEG}) {
      if (capture.open(file, backend)) break;
    }
    if (!capture.isOpened()) {
      throw Error("not a video that can be decoded here", state_->where, "damaged, or of a format that OpenCV lacks");
    }
    VideoShape& shape = state_->shape;
    const double width = capture.get(cv::CAP_PROP_FRAME_WIDTH), height = capture.get(cv::CAP_PROP_FRAME_HEIGHT);
    if (!(width >= 1 && height >= 1 && width * height <= static_cast<double>(kMaxPixels))) {
      throw Error("a video's frame must have 1 to 100 million pixels", state_->where);
    }
    shape.width = static_cast<int>(width);
    shape.height = static_cast<int>(height);
    const double fps = capture.get(cv::CAP_PROP_FPS), frames = capture.get(cv::CAP_PROP_FRAME_COUNT);
    shape.fps = fps >= 0.01 && fps <= 1000 ? fps : 25;
    shape.frames = frames >= 1 && frames < 1e12 ? std::llround(frames) : 0;
  } catch (const cv::Exception& exception) {
    throw Error("can't be decoded: " + exception.err, state_->where);
  }
}

cv::Mat VideoReader::read() {
  cv::Mat bgr, rgb;
  try {
    if (!state_->capture.read(bgr) || bgr.empty()) return {};
    if (bgr.channels() == 1) {
      cv::cvtColor(bgr, rgb, cv::COLOR_GRAY2RGB);
    } else {
      cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
    }
  } catch (const cv::Exception& exception) {
    throw Error("can't be decoded: " + exception.err, state_->where);
  }
  return rgb;
}

struct VideoWriter::State {
  cv::VideoWriter writer;
  std::filesystem::path path, aside;
  cv::Size size;

  ~State() {
    if (aside.empty()) return;
    writer.release();
    std::error_code ignored;
    std::filesystem::remove(aside, ignored);
  }
};

VideoWriter::VideoWriter(const std::filesystem::path& path, const VideoShape& shape)
    : state_(std::make_unique<State>()) {
  prepare_opencv();
  const std::string extension = lower_extension(path);
  const bool avi = extension == ".avi";
  if (!avi && extension != ".mp4") throw Error("videos are written as .mp4 or .avi", path.string());
  state_->path = path;
  state_->aside = path.parent_path() / (path.stem().string() + ".part" + extension);
  state_->size = {shape.width, shape.height};
  const int code = avi ? cv::VideoWriter::fourcc('M', 'J', 'P', 'G') : cv::VideoWriter::fourcc('m', 'p', '4', 'v');
  try {
    for (const int backend : {cv::CAP_FFMPEG, cv::CAP_OPENCV_MJPEG}) {
      if (state_->writer.open(state_->aside.string(), backend, code, shape.fps, state_->size)) break;
    }
  } catch (const cv::Exception& exception) {
    throw Error("can't be written: " + exception.err, path.string());
  }
  if (!state_->writer.isOpened()) {
    throw Error("can't be written", path.string(),
                avi ? "is the folder writable?" : "this machine's OpenCV may lack FFmpeg; avi needs nothing");
  }
}

void VideoWriter::write(const cv::Mat& rgb) {
  if (rgb.size() != state_->size) throw Error("a frame of another size", state_->path.string());
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  try {
    state_->writer.write(bgr);
  } catch (const cv::Exception& exception) {
    throw Error("can't be written: " + exception.err, state_->path.string());
  }
}

void VideoWriter::finish() {
  state_->writer.release();
  std::error_code error;
  std::filesystem::rename(state_->aside, state_->path, error);
  if (error) throw Error("can't be written: " + error.message(), state_->path.string());
  state_->aside.clear();
}

#else

struct VideoReader::State {
  VideoShape shape;
};
struct VideoWriter::State {};

VideoReader::VideoReader(const std::filesystem::path& path) {
  throw Error("this build reads no video", path.string(), "configure with -DCONCLAVE_VIDEO=ON");
}
cv::Mat VideoReader::read() {
  return {};
}

VideoWriter::VideoWriter(const std::filesystem::path& path, const VideoShape&) {
  throw Error("this build writes no video", path.string(), "configure with -DCONCLAVE_VIDEO=ON");
}
void VideoWriter::write(const cv::Mat&) {}
void VideoWriter::finish() {}

#endif

VideoReader::~VideoReader() = default;
VideoReader::VideoReader(VideoReader&&) noexcept = default;
const VideoShape& VideoReader::shape() const {
  return state_->shape;
}
VideoWriter::~VideoWriter() = default;
VideoWriter::VideoWriter(VideoWriter&&) noexcept = default;

}  // namespace conclave
