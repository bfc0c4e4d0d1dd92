#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "core/detection.h"
#include "datasets/view.h"
#include "models/decode.h"
#include "student/test_time.h"

namespace conclave {

// What a network says about a batch: heads, or each image's boxes where its graph finds them itself.
struct NetworkAnswer {
  HeadOutputs heads;                                         // float32 CPU tensors, contiguous, without a graph
  std::optional<std::vector<std::vector<Detection>>> boxes;  // in pixels of the input, by falling score
};

// Runs a network of whatever format. pixels: (B,H,W,3) uint8 RGB on the CPU; normalising is its own affair.
using RunNetwork = std::function<NetworkAnswer(const at::Tensor& pixels)>;

// One image, drawn as a plain view per scale.
struct Sight {
  int width = 0, height = 0;  // of the image
  std::vector<View> looks;    // one per TestTime::scales
};

// Detections of each image by falling score, boxes in pixels of the image, clipped to it, empty ones left out. A mirror
// image's boxes, of a network that gives boxes, are merged as those of scales are.
std::vector<std::vector<Detection>> detect(const RunNetwork& network, const std::vector<Sight>& sights,
                                           const TestTime& test_time, const DecodeOptions& options);

}  // namespace conclave
