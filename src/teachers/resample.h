#pragma once

#include "core/geometry.h"
#include "models/detector.h"

namespace conclave {

// A grid of heads: how its cells lie in a network's input, and how a view lies there.
struct NetGrid {
  double stride_x = kStride, stride_y = kStride;  // input pixels per cell
  Affine view_to_input;                           // without rotation or shear
};

// One image's heads, contiguous CPU float32 (1,C,h,w), (1,2,h,w) or (1,2C,h,w), (1,2,h,w), heat as logits, on the grid
// of a view of height x width cells of kStride pixels. Boxes keep their size and place in pixels of the view.
//
// Each cell takes the probability (bilinear) at the place that corresponds to its middle. That alone would cut peaks
// off, so the place is shifted: at the cell that holds a peak's object centre (cell + offset) it is exactly the
// peak's own cell, and the shift fades out linearly over the cells around, slowly enough that the order of places along
// a line is kept and no new peak arises. Such a cell gets the peak's logit, its wh in the new cells and its offset
// anew, and its neighbours no higher a heat; of peaks that fall on one cell the strongest counts. Elsewhere wh and
// offset are those of the nearest cell, the offset to the same centre, clamped to [0,1].
HeadOutputs resample(const HeadOutputs& heads, const NetGrid& grid, int height, int width);

}  // namespace conclave
