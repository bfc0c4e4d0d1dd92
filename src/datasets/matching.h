#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/detection.h"
#include "datasets/dataset.h"

// How detections meet labelled objects, as pycocotools (cocoeval.py, evaluateImg; maskApi.c, bbIou) matches them.
namespace conclave {

// Intersection over union, in double on widths and heights as pycocotools gets them; over the detection's own area
// where the object is a crowd region.
double coco_iou(const Box& detection, const Annotation& object);

// One image and class at one IoU. `ious`: detections (by falling score) x objects, row-major; the first `counted`
// objects count, the others are ignored. In order of score each detection takes the free object of the best IoU, at
// least `least`: a counted one where there is any, else an ignored one. A crowd region may be taken many times.
// Returns the object of each detection, -1 where it has none.
std::vector<int> match_greedily(const std::vector<double>& ious, const std::vector<const Annotation*>& objects,
                                std::size_t detections, std::size_t counted, double least);

struct MatchedDetection {
  float score = 0;
  bool hit = false;            // of an object that counts; else a false one
  std::uint32_t image = 0;     // position in the set
  std::uint32_t position = 0;  // in detections[image]
  std::int64_t object = -1;    // of a hit: position in the image's annotations
};

// What became of one class's detections on a set.
struct ClassMatches {
  std::int64_t objects = 0;                  // that count: not crowd
  std::vector<MatchedDetection> detections;  // by falling score, equal ones by image and position; none in a crowd
};

// Per class of the set. `detections[i]` belongs to `dataset.images[i]`, boxes in its pixels; all of them are matched,
// without AP's limit of 100. Crowd regions are neither hit nor miss: detections matched to one are left out. Only
// meaningful for classes that the set labels. Throws Error when the numbers of images differ.
std::vector<ClassMatches> match_detections(const Dataset& dataset,
                                           const std::vector<std::vector<Detection>>& detections, double iou = 0.5);

}  // namespace conclave
