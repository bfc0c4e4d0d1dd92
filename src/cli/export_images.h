#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/scratch_folder.h"
#include "datasets/dataset.h"
#include "models/spec.h"

namespace conclave {

// The images on which an export is compared with its source.
struct ExportImages {
  Dataset set;
  bool scored = false;                   // labelled: AP is asked for
  std::string what;                      // "16 images of data/test"
  std::unique_ptr<ScratchFolder> drawn;  // where drawn scenes lie as long as this lives
};

// `inputs` (files and folders) with `annotations` (COCO JSON; empty: unlabelled) where given; else of the run that the
// weights lie in, else drawn street scenes. Without annotations at most `count` images, spread over the set.
ExportImages export_images(const std::vector<std::string>& inputs, const std::string& annotations, int count,
                           const std::filesystem::path& weights, const ModelSpec& spec);

}  // namespace conclave
