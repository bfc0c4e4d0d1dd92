#pragma once

#include <cstdint>

#include "core/geometry.h"
#include "teachers/teacher_format.h"

namespace conclave {

// Where a view lies in a network's input: x_input = a x_view + c, y_input = e y_view + f, on continuous pixels. A
// letterboxed view keeps its aspect to within half a pixel, centred; a stretched one fills the input.
Affine placement(int view_width, int view_height, int width, int height, Fit fit);

// (height,width,3) uint8, contiguous; not owned.
template <class Byte>
struct Pixels {
  Byte* data;
  int width, height;
};

// Draws a view into an input: enlarged bilinearly, reduced by area, grey around.
void place(const Pixels<const std::uint8_t>& view, const Pixels<std::uint8_t>& input, Fit fit, int pad);

}  // namespace conclave
