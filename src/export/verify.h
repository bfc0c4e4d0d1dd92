#pragma once

#include <optional>

#include "datasets/coco_ap.h"
#include "datasets/dataset.h"
#include "export/agreement.h"
#include "export/runtime.h"

namespace conclave {

// One way of running the file: this input size, this many images in a call.
struct Look {
  int width = 0, height = 0, batch = 1;
};

struct Verification {
  std::string runtime;  // that ran it, with its version
  int images = 0;
  std::vector<Look> looks;
  Agreement agreement;
  std::optional<ApResult> source_ap, ap;  // on a labelled set; of the first look
};

// Runs the source and the exported file on plain views of the set's images: every image in the first look, the first
// few in the others. With `score`, AP of both over the whole set. Throws Error: the file can't be run.
Verification verify_export(Detector& source, Runtime& exported, const Dataset& set, const GraphOptions& options,
                           const std::vector<Look>& looks, bool score);

}  // namespace conclave
