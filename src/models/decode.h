#pragma once

#include <vector>

#include "core/detection.h"
#include "models/detector.h"

namespace conclave {

struct DecodeOptions {
  int top_k = 100;         // detections per image, over all classes
  float threshold = 0.0f;  // lower scores are left out
};

// Keeps a value where it is the largest of its 3x3 neighbourhood, else 0. heat (B,C,H,W), probabilities. In one place:
// evaluation, pseudo labels and pictures all use this.
at::Tensor keep_peaks(const at::Tensor& heat);

// Boxes in pixels of the model's input, by falling score; per image of the batch.
// Throws Error for heads whose shapes do not belong together.
//   centre = (cell + offset) * stride, size = wh * stride (the class's own pair where there is one per class).
std::vector<std::vector<Detection>> decode(const HeadOutputs& heads, const DecodeOptions& options);

}  // namespace conclave
