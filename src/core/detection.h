#pragma once

#include "core/geometry.h"

namespace conclave {

// One detected object. The box is in pixels of the original image unless a function says otherwise.
struct Detection {
  Box box;
  int cls = 0;  // index into the model's classes
  float score = 0;
};

}  // namespace conclave
