#pragma once

#include <string>
#include <vector>

#include "datasets/dataset.h"

namespace conclave {

// The files that a set's images are, absolute and with links followed; their sizes and boxes are not looked at. Throws
// Error for a missing folder of unlabelled images, a missing file of annotations or one that can't be read.
std::vector<std::string> image_files(const DatasetOptions& options);

// How many images of `set` are, as files, among those of `others`.
std::size_t shared_images(const Dataset& set, const std::vector<Dataset>& others);

}  // namespace conclave
