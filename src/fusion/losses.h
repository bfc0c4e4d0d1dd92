#pragma once

#include <ATen/core/Tensor.h>

#include "fusion/ground_truth.h"
#include "fusion/sparse.h"
#include "models/detector.h"

// One function per formula; each is a sum or mean that states its normaliser. Differentiable in the student's tensors.
namespace conclave {

// Focal loss of CenterNet (Zhou et al. 2019, eq. 1), alpha = 2, beta = 4, from logits, per class: (C,).
//   class c = -sum over cells of  heat == 1: (1-p)^2 log p;  else: (1-heat)^4 p^2 log(1-p),  divided by max(1, n_c)
// with n_c the centres of class c in the batch. mask (B,C): 1 where class c of view b counts.
at::Tensor focal_per_class(const at::Tensor& logits, const GroundTruth& truth, const at::Tensor& mask);

// The same sum over all classes divided by the number of all centres (not normalised when there are none); matches centerX.
at::Tensor focal_joint(const at::Tensor& logits, const at::Tensor& heat);

}  // namespace conclave
