#pragma once

namespace conclave {

// A factor for each kind of term.
struct LossWeights {
  double heat = 1.0;
  double wh = 1.0;
  double offset = 1.0;
  double iou = 1.0;  // of the overlap of boxes, where fusion.box asks for it
};

}  // namespace conclave
