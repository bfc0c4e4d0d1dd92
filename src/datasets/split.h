#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace conclave {

// One part of a split: which classes it stays labelled for.
struct SplitPart {
  std::string name;                   // the file is <folder>/<name>.json
  std::vector<std::string> labelled;  // its categories and boxes; all others are removed
};

struct SplitOptions {
  std::string annotations;       // the fully labelled COCO JSON
  std::string folder;            // of the parts
  std::vector<SplitPart> parts;  // empty: one part per category, named after it
  std::uint64_t seed = 1;        // decides which image goes to which part
};

struct SplitResult {
  std::string path;
  int images = 0, boxes = 0;
};

// Deals the images into parts of equal size (to one image) by a seeded permutation and writes one COCO JSON per part,
// ids and file names kept, images in the file's order, info.labelled naming the classes. Throws Error for unknown
// classes, parts of one name, more parts than images, and faulty annotations; nothing is written then.
std::vector<SplitResult> split_dataset(const SplitOptions& options);

}  // namespace conclave
