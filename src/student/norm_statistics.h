#pragma once

#include <functional>

#include "models/detector.h"

namespace conclave {

// Gives every Norm2d of a model the statistics of these batches: the mean over the batches of their means and
// (unbiased) variances, as torch.optim.swa_utils.update_bn does. A mean of weights needs it: it has never seen an
// image, and the mean of its parts' statistics is not its own (Izmailov et al. 2018). `forward` runs the model, in
// training mode, on batch 0, 1, ... `batches` - 1. Where the norms are synchronised (sync_batch_norm.h) the batches are
// those of all ranks.
void retake_statistics(Detector& model, int batches, const std::function<void(int batch)>& forward);

}  // namespace conclave
