#pragma once

#include <functional>

#include "export/graph.h"
#include "models/detector.h"

namespace conclave {

// The operators that run when the detector sees one image of this size, in eval mode, batch normalisation still in it:
// input "images" (1,3,height,width), outputs "heat", "wh", "offset". The tensors are the model's own. Runs the model
// once with LibTorch's tracer; leaves its mode as it was. Throws Error that names the layer for an operator that is
// none of graph.h's.
Graph trace_detector(Detector& model, int width, int height);

// The same of any module: what `forward` does with its input becomes the graph.
using TracedForward = std::function<std::vector<at::Tensor>(const at::Tensor& images)>;
Graph trace(const torch::nn::Module& module, const TracedForward& forward, const std::vector<std::string>& outputs,
            int width, int height);

}  // namespace conclave
