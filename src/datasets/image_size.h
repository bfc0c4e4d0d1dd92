#pragma once

namespace conclave {

struct ImageSize {
  int width = 0, height = 0;  // pixels
};

}  // namespace conclave
