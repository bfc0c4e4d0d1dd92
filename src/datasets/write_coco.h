#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/detection.h"
#include "datasets/coco_file.h"
#include "datasets/dataset.h"

namespace conclave {

struct CocoInfo {
  std::string description;
  std::vector<std::string> labelled;  // classes labelled exhaustively; written as info.labelled
};

// The JSON; numbers in the shortest form that reads back to the same value.
std::string coco_text(const CocoFile& file, const CocoInfo& info);
// Writes it atomically.
void write_coco(const std::string& path, const CocoFile& file, const CocoInfo& info);

// The set as a COCO file: categories numbered from 1 in class order, file names without their folder.
CocoFile coco_of(const Dataset& dataset);

// COCO's results format, [{image_id, category_id, bbox, score}]. `detections[i]` belongs to `dataset.images[i]`; class
// c has category_ids[c], or c + 1 where none are given.
void write_detections(const std::string& path, const Dataset& dataset,
                      const std::vector<std::vector<Detection>>& detections,
                      const std::vector<std::int64_t>& category_ids = {});

}  // namespace conclave
