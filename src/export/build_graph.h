#pragma once

#include "export/graph.h"
#include "models/detector.h"

namespace conclave {

// What goes into an exported graph.
enum class GraphInput {
  kNormalised,  // float (B,3,H,W), (x - mean) / std, RGB, as Detector::forward takes it
  kRgb,         // pixels in [0,255] (B,3,H,W), uint8 where the format has it; normalised inside
  kBgr          // the same in OpenCV's order
};

// What comes out of it, in this order.
enum class GraphOutputs {
  kHeads,  // heat (logits), wh, offset
  kPeaks,  // peaks (probabilities, 0 but at 3x3 peaks), wh, offset
  kBoxes   // boxes (B,K,4) x0 y0 x1 y1 in pixels of the input, scores (B,K) falling, classes (B,K); K = top_k
};

struct GraphOptions {
  int width = 512, height = 512;  // pixels, multiples of 32
  int batch = 1;                  // of shapes that are written as fixed
  GraphInput input = GraphInput::kNormalised;
  GraphOutputs outputs = GraphOutputs::kHeads;
  bool exact_peaks = false;  // by comparison, see KeepPeaks
  int top_k = 100;
  bool half = false;  // the network computes in float16; input and outputs stay as they are
};

// The graph that every format is made of: traced once, batch normalisation folded, with the ends that are wanted.
Graph build_graph(Detector& model, const GraphOptions& options);

// Every batch normalisation after a convolution becomes part of its weights (computed in double), any other a
// ScaleShift.
Graph fold_batch_norms(const Graph& traced);

}  // namespace conclave
