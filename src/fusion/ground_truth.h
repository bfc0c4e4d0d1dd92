#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/geometry.h"

namespace conclave {

// A labelled object of a view, in pixels of the view.
struct LabelBox {
  Box box;
  int cls = 0;
  float weight = 1;  // of its terms, above 0
};

// CenterNet's training targets for a batch (Law & Deng, CornerNet, section 3; Zhou et al., Objects as Points, section
// 3).
struct GroundTruth {
  at::Tensor
      heat;  // (B,C,H,W) in [0,1]; exactly 1 at centres; a Gaussian with sigma = (2r+1)/6 around, max over objects
  at::Tensor index;   // (N,) int64: b * H * W + y * W + x of each object's centre cell
  at::Tensor cls;     // (N,) int64
  at::Tensor wh;      // (N,2) cells
  at::Tensor offset;  // (N,2) [0,1)
  at::Tensor weight;  // (N,) float: the objects' weights; undefined where all are 1
};

// Largest radius such that a box moved by it still overlaps the true one by min_overlap; CornerNet's three cases,
// dividing by 2a as CenterNet does. width and height in cells, not rounded.
double gaussian_radius(double width, double height, double min_overlap);

// boxes[b]: the objects of view b; those that are empty or whose centre lies outside the grid are left out. height,
// width: of the output grid. The radius is truncated to whole cells. Throws Error for a class that does not exist.
GroundTruth make_ground_truth(const std::vector<std::vector<LabelBox>>& boxes, int classes, int height, int width,
                              double min_overlap);

}  // namespace conclave
