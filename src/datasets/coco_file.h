#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace conclave {

// The part of a COCO object-detection JSON that we use, as the file states it. Entries keep the file's order.
struct CocoImage {
  std::int64_t id = 0;
  std::string file_name;
  int width = 0, height = 0;  // 0: not stated
};

struct CocoAnnotation {
  std::int64_t id = 0;  // its position where the file gives none
  std::int64_t image_id = 0;
  std::int64_t category_id = 0;
  double x = 0, y = 0, width = 0, height = 0;  // pixels
  double area = 0;                             // width * height where the file gives none
  bool crowd = false;
  double score = -1;  // written where it is not negative; never read
};

struct CocoCategory {
  std::int64_t id = 0;
  std::string name;
};

struct CocoFile {
  std::vector<CocoImage> images;
  std::vector<CocoAnnotation> annotations;
  std::vector<CocoCategory> categories;
};

// Told of each faulty entry ("annotation 17 (image 5): box is [nan, 3, 4, 5]"), which is then left out.
using CocoFaultHandler = std::function<void(const std::string& fault)>;

// Reads the file with simdjson. Faults in entries go to `on_fault`; without one the first is thrown as Error (where =
// path): boxes that are not four finite numbers or have negative width or height, unknown categories and images,
// duplicate ids and category names, missing or mistyped fields. Throws Error either way for a missing file, malformed
// JSON and missing arrays.
CocoFile read_coco(const std::string& path, const CocoFaultHandler& on_fault = {});

}  // namespace conclave
