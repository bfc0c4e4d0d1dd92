#pragma once

#include <string>
#include <vector>

#include "datasets/dataset.h"

namespace conclave {

struct ClassCount {
  std::string name;
  int boxes = 0, crowds = 0, images = 0;  // images that hold at least one
  int small = 0, medium = 0, large = 0;   // by COCO's areas, crowds left out
};

// What `conclave data check` found. Each entry of a list names its image or annotation.
struct DatasetReport {
  std::string name;
  int images = 0, annotations = 0;
  std::vector<ClassCount> classes;
  std::vector<std::string> faults;          // entries that load_dataset refuses
  std::vector<std::string> broken_images;   // missing, damaged, or not of the stated size
  std::vector<std::string> outside;         // boxes that reach out of their image by more than a pixel
  std::vector<std::string> tiny;            // boxes with a side under two pixels
  std::vector<std::string> duplicates;      // the same box and class twice in an image; a file listed twice
  std::vector<std::string> without_boxes;   // images
  std::vector<std::string> class_mismatch;  // expected classes that the file lacks, and categories not expected

  // Can the set be used as it is? Odd boxes and empty images are allowed, faults and broken images are not.
  bool usable() const { return faults.empty() && broken_images.empty(); }
};

// Reads the annotations leniently and decodes every image with `threads` threads. `classes` empty: those of the file.
// Throws Error only where nothing can be said: no such file or folder, malformed JSON.
DatasetReport check_dataset(const DatasetOptions& options, const std::vector<std::string>& classes, int threads = 2);

// For people: a table and the lists, each cut after `most` entries.
std::string text_of(const DatasetReport& report, int most = 10);

}  // namespace conclave
