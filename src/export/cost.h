#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "export/graph.h"
#include "models/detector.h"

namespace conclave {

struct Cost {
  std::int64_t parameters = 0;  // learnt values; running statistics are not counted
  double gflops = 0;            // 1e9 operations of one image's forward
};

// Counts a graph as it was traced as fvcore does: one operation per multiply-add of a convolution (its bias is free)
// and two per element of a batch norm; nothing for the rest.
Cost cost_of(const Graph& traced);

// Of the detector's own graph at this size. Leaves its mode as it was. A deformable convolution counts as the plain one
// in its place and the one that gives its offsets and mask.
Cost cost_of(Detector& model, int width, int height);

struct ZooRow {
  std::string name;  // as describe() says
  Cost cost;
};

// Every backbone with every neck at the published width, and the narrow network for small machines, with one class.
std::vector<ZooRow> zoo_table(int width, int height);

}  // namespace conclave
