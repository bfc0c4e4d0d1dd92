#pragma once

#include <vector>

#include "core/detection.h"
#include "datasets/coco_ap.h"
#include "datasets/view.h"
#include "models/decode.h"

namespace conclave {

struct EvaluateOptions {
  int batch = 16;
  int loader_threads = 1;
  bool bf16 = false;
  bool channels_last = false;
  std::string device = "cpu";
  DecodeOptions decode;
};

// Detections on the plain views of every image, boxes in pixels of the original image, clipped to it.
std::vector<std::vector<Detection>> detect(Detector& model, const Dataset& dataset, const ViewOptions& views,
                                           const EvaluateOptions& options);

}  // namespace conclave
