#include "cli/predict_job.h"

#include <algorithm>
#include <future>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "core/file.h"
#include "core/stop.h"
#include "datasets/draw.h"
#include "datasets/frame_view.h"
#include "datasets/image_io.h"
#include "datasets/video.h"

namespace conclave {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

// What the filter drops must not have taken the places of others.
constexpr int kManyDetections = 1000;

}  // namespace

DecodeOptions decode_options(const DetectionFilter& filter) {
  return {filter.same_for_all() ? filter.most : std::max(filter.most, kManyDetections),
          static_cast<float>(filter.lowest_threshold())};
}

namespace {

std::vector<ViewOptions> scaled_views(const PredictJob& job) {
  std::vector<ViewOptions> views;
  for (const double scale : job.test_time.scales) views.push_back(at_scale(job.views, scale));
  return views;
}

Frame read_frame(const PredictJob& job, const std::string& path, const std::vector<ViewOptions>& views) {
  const std::string bytes = read_file(path, kMaxImageBytes);
  const ImageSize size = read_image_size(path);
  ImageEntry entry;
  entry.path = path;
  entry.width = size.width;
  entry.height = size.height;
  Frame frame;
  frame.sight = {size.width, size.height, {}};
  const std::vector<ViewImage> image = {{entry, &bytes}};
  for (const ViewOptions& scale : views) frame.sight.looks.push_back(draw_view(image, ViewKey{}, scale));
  if (job.pictures) frame.rgb = decode_image(bytes, path);
  return frame;
}

}  // namespace

Json detections_json(const std::vector<Detection>& detections, const std::vector<std::string>& classes) {
  Json list = Json::array();
  for (const Detection& detection : detections) {
    const Box& box = detection.box;
    list.push_back({{"class", classes.at(static_cast<std::size_t>(detection.cls))},
                    {"score", detection.score},
                    {"bbox", {box.x0, box.y0, box.width(), box.height()}}});
  }
  return list;
}

void detect_frames(const PredictJob& job, const std::function<std::vector<Frame>()>& read,
                   const std::function<void(Frame&, const std::vector<Detection>&)>& write, PredictProgress& progress) {
  const DecodeOptions options = decode_options(job.filter);
  std::future<void> writing;
  std::future<std::vector<Frame>> reading = std::async(std::launch::async, read);
  for (;;) {
    std::vector<Frame> frames = reading.get();
    if (frames.empty()) break;
    if (stop_requested()) throw Error("interrupted", {}, {}, Exit::kInterrupted);
    reading = std::async(std::launch::async, read);
    std::vector<Sight> sights;
    for (Frame& frame : frames) {
      sights.push_back({frame.sight.width, frame.sight.height, std::move(frame.sight.looks)});
    }
    auto found = detect(job.runner.network, sights, job.test_time, options);
    for (std::vector<Detection>& detections : found) {
      detections = job.filter.apply(detections);
      progress.add(detections.size());
    }
    if (writing.valid()) writing.get();
    writing = std::async(std::launch::async, [&write, frames = std::move(frames), found = std::move(found)]() mutable {
      for (std::size_t i = 0; i < frames.size(); ++i) write(frames[i], found[i]);
    });
  }
  if (writing.valid()) writing.get();
}

Json predict_images(const PredictJob& job, const std::vector<PredictInput>& inputs, std::vector<FailedInput>& failed,
                    PredictProgress& progress) {
  Json entries = Json::array();
  std::size_t next = 0;
  const auto views = scaled_views(job);
  const auto read = [&] {
    std::vector<Frame> frames;
    for (; next < inputs.size() && frames.size() < static_cast<std::size_t>(job.batch); ++next) {
      try {
        frames.push_back(read_frame(job, inputs[next].path, views));
        frames.back().index = next;
      } catch (const Error& error) {
        failed.push_back({inputs[next].path, error.what()});
      }
    }
    return frames;
  };
  const auto write = [&](Frame& frame, const std::vector<Detection>& detections) {
    const PredictInput& input = inputs[frame.index];
    Json entry = {{"image", input.path}};
    if (job.pictures) {
      const fs::path name = input.name.string() + ".jpg";
      fs::create_directories((job.out / name).parent_path());
      draw_detections(frame.rgb, detections, job.runner.classes);
      write_image((job.out / name).string(), frame.rgb);
      entry["picture"] = name.string();
    }
    entry["width"] = frame.sight.width;
    entry["height"] = frame.sight.height;
    entry["detections"] = detections_json(detections, job.runner.classes);
    entries.push_back(std::move(entry));
  };
  detect_frames(job, read, write, progress);
  return entries;
}

Json predict_video(const PredictJob& job, const PredictInput& input, PredictProgress& progress) {
  VideoReader reader(input.path);
  progress.expect(static_cast<std::size_t>(reader.shape().frames));
  const VideoShape& shape = reader.shape();
  const fs::path lines_name = input.name.string() + ".jsonl", name = input.name.string() + "." + job.video_format;
  fs::create_directories((job.out / name).parent_path());
  std::optional<VideoWriter> writer;
  if (job.pictures) writer.emplace(job.out / name, shape);
  std::string lines;
  std::size_t frames_read = 0;
  const auto views = scaled_views(job);
  const auto read = [&] {
    std::vector<Frame> frames;
    while (frames.size() < static_cast<std::size_t>(job.batch)) {
      cv::Mat rgb = reader.read();
      if (rgb.empty()) break;
      Frame& frame = frames.emplace_back();
      frame.index = frames_read++;
      frame.sight = {rgb.cols, rgb.rows, {}};
      for (const ViewOptions& scale : views) frame.sight.looks.push_back(draw_frame(rgb, scale));
      if (job.pictures) frame.rgb = rgb;
    }
    return frames;
  };
  const auto write = [&](Frame& frame, const std::vector<Detection>& detections) {
    const Json line = {{"frame", frame.index},
                       {"time", static_cast<double>(frame.index) / shape.fps},
                       {"detections", detections_json(detections, job.runner.classes)}};
    lines += line.dump() + "\n";
    if (!writer) return;
    draw_detections(frame.rgb, detections, job.runner.classes);
    writer->write(frame.rgb);
  };
  detect_frames(job, read, write, progress);
  if (frames_read == 0) throw Error("no frame can be decoded", input.path);
  if (writer) writer->finish();
  write_file_atomically(job.out / lines_name, lines);
  Json entry = {{"video", input.path}};
  if (writer) entry["picture"] = name.string();
  entry["frames"] = frames_read;
  if (shape.frames > 0) entry["frames_stated"] = shape.frames;
  entry["fps"] = shape.fps;
  entry["width"] = shape.width;
  entry["height"] = shape.height;
  entry["detections"] = lines_name.string();
  return entry;
}

}  // namespace conclave
