#pragma once

#include <vector>

#include "core/detection.h"

// Several boxes on one object of one image become one. Both give boxes back by falling score, equal ones in the order
// given.
namespace conclave {

// Non-maximum suppression: of boxes of one class that overlap by an IoU above `limit` the best stays as it is.
std::vector<Detection> suppress(std::vector<Detection> detections, double limit = 0.5);

// Weighted box fusion (Solovyev, Wang, Gabruseva 2021, Weighted boxes fusion: Ensembling boxes from different object
// detection models, section 3), as the authors' package ensemble-boxes 1.0.9 computes it with conf_type 'avg'.
//
// With s the score times its model's weight, boxes are taken by falling s. One joins the cluster whose fused box it
// overlaps best, by an IoU above `limit`, else it starts a cluster. Of a cluster of n boxes and N models:
//   coordinates = Σ s box / Σ s,    score = (Σ s / n) · min(n, N) / Σ over all models of their weights
// so that what only some of the models see counts less.
//
// models[m]: its boxes, all of one class; weights: one per model. Boxes that are empty, or of s = 0, are left out.
// Throws Error for weights that are negative, of another number, or all 0.
std::vector<Detection> fuse_boxes(const std::vector<std::vector<Detection>>& models, const std::vector<double>& weights,
                                  double limit = 0.55);

}  // namespace conclave
