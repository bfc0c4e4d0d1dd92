#pragma once

#include <ATen/core/Tensor.h>

namespace conclave {

enum class BoxLoss { kL1, kGiou, kCiou };

// Boxes that belong to the same cells: wh their sizes and offset their centres, in cells, both (N,2) or (B,2,H,W).
struct CellBoxes {
  at::Tensor wh, offset;
};

// One minus how well boxes overlap; (N,) or (B,H,W). With I and U the areas of intersection and union and E that of the
// smallest box around both:
//   giou (Rezatofighi et al. 2019, Generalized Intersection over Union):  1 - (I/U - (E - U)/E), in [0,2)
//   ciou (Zheng et al. 2020, Distance-IoU Loss, eq. 7 to 11):  1 - I/U + d^2/c^2 + v^2/(1 - I/U + v), d the distance of
//   the centres, c the diagonal of E, v = 4/pi^2 (atan(w_t/h_t) - atan(w/h))^2
// As torchvision computes them, with its epsilon of 1e-7, but that the gradient flows through all of it (the paper
// holds the factor v/(1 - I/U + v) fixed). Sides below 0.01 cells count as 0.01: there the gradient of that side is 0,
// and an L1 term beside this one brings it back. REQUIRES: kind is not kL1.
at::Tensor overlap_error(BoxLoss kind, const CellBoxes& predicted, const CellBoxes& target);

}  // namespace conclave
