#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "export/build_graph.h"
#include "models/decode.h"

namespace conclave {

// The names of a graph's outputs, in their order.
std::vector<std::string> output_names(GraphOutputs outputs);

// Throws Error (where) that names the output for outputs that a graph with this input (B,3,height,width) and this
// number of classes can't give: their number, shapes, kinds of values, values that are not finite, classes that are
// none.
void check_outputs(const std::vector<at::Tensor>& outputs, GraphOutputs kind, std::int64_t classes, std::int64_t batch,
                   std::int64_t height, std::int64_t width, const std::string& where);

// REQUIRES: check_outputs() finds nothing. What a graph's outputs (B,...) say was seen, boxes in pixels of the input.
std::vector<std::vector<Detection>> detections_of(const std::vector<at::Tensor>& outputs, GraphOutputs kind,
                                                  const DecodeOptions& options);

inline constexpr float kPeakScore = 0.1F;  // weaker peaks and boxes are not compared

// How far an exported file is from its source, over the images that both have seen.
struct Agreement {
  // By output, the largest absolute difference: heat (logits), wh (cells), offset; peaks (probability, of peaks that
  // both have) or boxes (pixels) and scores.
  std::map<std::string, double> largest;
  double largest_wh = 0;  // of the source's widths and heights: what `wh` is to be seen against
  // Peaks or boxes above kPeakScore: the source's, those of them that the file lacks, and those that only it has. One
  // that hangs by less than rounding (a neighbour or the threshold is as near as that) counts in neither.
  std::int64_t peaks = 0, missing = 0, extra = 0;

  // Both computed the same batch. `source`: heads of our own modules; `exported`: as the graph's outputs.
  void add(const HeadOutputs& source, const std::vector<at::Tensor>& exported, const GraphOptions& options);
};

// The largest differences that may be: by rounding alone in float32, and in float16.
std::map<std::string, double> allowed_differences(const Agreement& agreement, bool half);

// Empty, or what is wrong.
std::string disagreement(const Agreement& agreement, bool half);

// Empty, or why the agreement says nothing about these outputs: what they are made for was not seen.
std::string not_compared(const Agreement& agreement, GraphOutputs outputs);

}  // namespace conclave
