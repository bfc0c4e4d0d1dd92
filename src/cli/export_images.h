#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "models/spec.h"

namespace conclave {

// The images on which an export is compared with its source.
struct ExportImages {
  Dataset set;
  bool scored = false;  // labelled: AP is asked for
  std::string what;     // "16 images of data/test"
};

// `inputs` (files and folders) with `annotations` (COCO JSON; empty: unlabelled) where given; else of the run that the
// weights lie in, else drawn street scenes, which are written into `scratch`. Without annotations at most `count`
// images, spread over the set.
ExportImages export_images(const std::vector<std::string>& inputs, const std::string& annotations, int count,
                           const std::filesystem::path& weights, const ModelSpec& spec,
                           const std::filesystem::path& scratch);

}  // namespace conclave
