#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/detection.h"
#include "datasets/dataset.h"

namespace conclave {

struct Comparison {
  std::string file;  // relative to the run folder
  std::string caption;
};

// One picture per image, `count` images spread over the set: the labels and each column's detections side by side.
// `columns`: a title and its detections per image of the set.
std::vector<Comparison> draw_comparison(
    const Dataset& set, const std::vector<std::pair<std::string, const std::vector<std::vector<Detection>>*>>& columns,
    const std::filesystem::path& folder, int count);

}  // namespace conclave
