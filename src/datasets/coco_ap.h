#pragma once

#include <string>
#include <vector>

#include "core/detection.h"
#include "datasets/dataset.h"

namespace conclave {

// COCO's twelve numbers (pycocotools.cocoeval, bbox), in [0,1]; -1 where there is no ground truth, as pycocotools has
// it.
struct ApSummary {
  double ap = -1, ap50 = -1, ap75 = -1;
  double ap_small = -1, ap_medium = -1, ap_large = -1;
  double ar1 = -1, ar10 = -1, ar100 = -1;
  double ar_small = -1, ar_medium = -1, ar_large = -1;
};

struct ApResult {
  ApSummary all;                     // mean over the classes
  std::vector<ApSummary> per_class;  // in the order of Dataset::classes
};

// Average precision as pycocotools computes it: IoU 0.50:0.05:0.95, 101 recall points, area ranges 32^2 and 96^2, crowd
// regions (IoU over the detection's own area), at most 100 detections per image and class, stable order among equal
// scores. `detections[i]` belongs to `dataset.images[i]`, boxes in its pixels. Only classes with evaluate[c] count
// (empty: all).
ApResult coco_ap(const Dataset& dataset, const std::vector<std::vector<Detection>>& detections,
                 const std::vector<bool>& evaluate = {});

}  // namespace conclave
