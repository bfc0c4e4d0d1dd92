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
  int images_per_part = 0;       // 0: all images are dealt out
  std::string rest;              // a part of this name for the images that no other part took, without any label
  std::uint64_t seed = 1;        // decides which image goes to which part
  bool overwrite = false;        // files of other content are replaced
};

struct SplitResult {
  std::string path;
  int images = 0, boxes = 0;
};

// Deals the images into parts of equal size (to one image) by a seeded permutation and writes one COCO JSON per part,
// ids and file names kept, images in the file's order, info.labelled naming the classes. With images_per_part each part
// keeps the first so many of the images that it would have been dealt: a smaller number gives a subset. Throws Error
// for unknown classes, parts of one name, more parts or images than there are, faulty annotations, a part that would
// replace the source, and without `overwrite` one that is there with other content (the very same is left as it is);
// nothing is written then.
std::vector<SplitResult> split_dataset(const SplitOptions& options);

struct SampleOptions {
  std::string annotations;  // a COCO JSON
  std::string file;         // the COCO JSON to write; its folder is made
  int images = 1;
  std::uint64_t seed = 1;  // decides which; a smaller number of images with the same seed gives a subset
  bool overwrite = false;  // a file of other content is replaced
};

// Writes so many images of a set with their labels; ids, file names and order kept. Throws Error when there are fewer,
// for faulty annotations, and for files that are there as split_dataset does; nothing is written then.
SplitResult sample_dataset(const SampleOptions& options);

}  // namespace conclave
