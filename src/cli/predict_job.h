#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <opencv2/core/mat.hpp>
#include <string>
#include <vector>

#include "cli/detection_filter.h"
#include "cli/predict_inputs.h"
#include "cli/predict_progress.h"
#include "cli/runner.h"
#include "datasets/view.h"
#include "student/detect.h"

namespace conclave {

struct PredictJob {
  Runner runner;
  ViewOptions views;
  TestTime test_time;
  DetectionFilter filter;
  int batch = 8;
  std::filesystem::path out;
  bool pictures = true;              // else numbers alone
  std::string video_format = "mp4";  // or avi
};

struct FailedInput {
  std::string path, why;
};

// A picture on its way.
struct Frame {
  std::size_t index = 0;  // of the input, or in the video
  cv::Mat rgb;            // to draw on; empty where no pictures are wanted
  Sight sight;
};

// What is to be decoded so that the filter finds everything it lets through.
DecodeOptions decode_options(const DetectionFilter& filter);

// Detects on everything that `read` gives, a batch at a time; an empty one ends it. `read` and `write` run beside the
// network, on a thread each, and `write` gets the frames in order. What they throw is thrown here. Throws Error
// (Exit::kInterrupted) when stop_requested().
void detect_frames(const PredictJob& job, const std::function<std::vector<Frame>()>& read,
                   const std::function<void(Frame&, const std::vector<Detection>&)>& write, PredictProgress& progress);

// One entry per image for detections.json. Images that can't be read are added to `failed`.
nlohmann::ordered_json predict_images(const PredictJob& job, const std::vector<PredictInput>& inputs,
                                      std::vector<FailedInput>& failed, PredictProgress& progress);

// Writes a JSON line per frame and the drawn video; gives the video's entry for detections.json. Throws Error.
nlohmann::ordered_json predict_video(const PredictJob& job, const PredictInput& input, PredictProgress& progress);

// [{"class", "score", "bbox": [x, y, width, height]}, ...] in pixels of the picture, by falling score.
nlohmann::ordered_json detections_json(const std::vector<Detection>& detections,
                                       const std::vector<std::string>& classes);

}  // namespace conclave
