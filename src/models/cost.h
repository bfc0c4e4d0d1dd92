#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/detector.h"

namespace conclave {

struct Cost {
  std::int64_t parameters = 0;  // learnt values; running statistics are not counted
  double gflops = 0;            // 1e9 operations of one image's forward
};

// Runs the model once, in eval mode, on an image of this size and counts as fvcore does: one operation per multiply-add
// of a convolution (its bias is free) and two per element of a batch norm; nothing for the rest. Leaves the mode as it
// was.
Cost cost_of(Detector& model, int width, int height);

struct ZooRow {
  std::string name;  // as describe() says
  Cost cost;
};

// Every backbone with every neck at the published width, and the narrow network for small machines, with one class.
std::vector<ZooRow> zoo_table(int width, int height);

}  // namespace conclave
