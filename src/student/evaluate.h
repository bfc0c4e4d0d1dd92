#pragma once

#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/detection.h"
#include "datasets/coco_ap.h"
#include "datasets/view.h"
#include "models/decode.h"
#include "ranks/process_group.h"
#include "student/detect.h"

namespace conclave {

struct EvaluateOptions {
  int batch = 16;
  int loader_threads = 1;
  bool bf16 = false;
  bool channels_last = false;
  std::string device = "cpu";
  DecodeOptions decode;
  TestTime test_time;
};

// Images [first, end) of a set.
struct ImageRange {
  std::size_t first = 0, end = std::numeric_limits<std::size_t>::max();
};

// Detections on the plain views of these images, boxes in pixels of the original image, clipped to it. Moves the model
// to the device and leaves it there, in the mode (training or not) that it was in. Throws Error: an image can't be
// read; Exit::kInterrupted when stop_requested().
std::vector<std::vector<Detection>> detect(Detector& model, const Dataset& dataset, const ViewOptions& views,
                                           const EvaluateOptions& options, ImageRange range = {});

// The same with any network; of the options only batch, loader_threads, decode and test_time matter.
std::vector<std::vector<Detection>> detect(const RunNetwork& network, const Dataset& dataset, const ViewOptions& views,
                                           const EvaluateOptions& options, ImageRange range = {});

// Runs a model that is in evaluation mode and on its device already. The model must outlive the function.
RunNetwork run_detector(Detector& model, const EvaluateOptions& options);

// COCO AP over the classes that the set labels. Each rank looks at its share of the images, rank 0 scores all
// detections as one process would; every rank gets the result. REQUIRES: the model's classes are the set's.
ApResult evaluate_detector(Detector& model, const Dataset& dataset, const ViewOptions& views,
                           const EvaluateOptions& options, ProcessGroup& ranks);

// {"ap", "ap50", "ap75", "ap_small", ..., "ar_large"}, in [0,1], -1 without ground truth.
nlohmann::ordered_json ap_json(const ApSummary& summary);
// {"set", "images", the numbers over all classes, "per_class": {name: numbers}} for the labelled classes.
nlohmann::ordered_json ap_json(const ApResult& result, const Dataset& dataset);

}  // namespace conclave
