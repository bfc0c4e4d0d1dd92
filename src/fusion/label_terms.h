#pragma once

#include "fusion/terms.h"

namespace conclave {

// What boxes say: labels/heat, labels/wh, labels/offset, and with giou or ciou labels/iou. mask (B,C): where
// labels supervise the class; cells (B,C,H,W), or undefined for all: in which of its cells. The heads are float. Throws
// Error for a heat map that does not fit the student's.
void add_label_terms(Terms& terms, const HeadOutputs& student, const GroundTruth& truth, const at::Tensor& mask,
                     const FusionOptions& options, const at::Tensor& cells = {});

}  // namespace conclave
