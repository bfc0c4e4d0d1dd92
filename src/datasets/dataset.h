#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/geometry.h"

namespace conclave {

// One labelled object, in pixels of its image.
struct Annotation {
  Box box;
  int cls = 0;         // index into Dataset::classes
  bool crowd = false;  // a region of many objects: neither hit nor miss in AP, never a training target
  float area = 0;      // COCO's area (of the mask where there is one); decides small/medium/large
  std::int64_t id = 0;
  float weight = 1;  // of its training terms: 1, or the score of a pseudo label where they are soft
};

struct ImageEntry {
  std::string path;           // absolute or relative to the working folder; readable by the process that made it
  int width = 0, height = 0;  // pixels
  std::int64_t id = 0;        // COCO image id; the position in the listing for a folder
  std::vector<Annotation> annotations;
};

// Where a set comes from.
struct DatasetOptions {
  std::string name;         // unique in a run
  std::string images;       // folder of the images
  std::string annotations;  // COCO JSON; empty: a plain folder of unlabelled images, in order of their names
  std::vector<std::string>
      labelled;               // classes labelled exhaustively here; `all` below makes it every class of the file
  bool all_labelled = false;  // no `labelled` key was given and there are annotations
  int limit = 0;              // > 0: only the first `limit` images
};

// A set in memory: image paths and boxes, no pixels. Constant after it is loaded.
struct Dataset {
  std::string name;
  std::vector<std::string> classes;  // the student's classes, in the student's order
  std::vector<bool> labelled;        // per class: is every object of it in this set annotated?
  std::vector<ImageEntry> images;
};

// Reads a COCO JSON (or lists a folder). Boxes of categories that are not in `classes` are dropped; boxes of classes
// that are not in `labelled` are kept in `images` (callers use `labelled` to decide). `images` sizes come from the
// JSON, or from the file headers for a folder. `images` empty: paths are the file names as the JSON has them, and are
// not looked for. Throws Error naming file and entry for: a missing file, folder or image, malformed JSON, an
// annotation of an unknown category or image, NaN or negative boxes, duplicate ids, a class in `labelled` that is in
// neither `classes` nor the file.
Dataset load_dataset(const DatasetOptions& options, const std::vector<std::string>& classes);

// Does any image have an object of the class? Crowd regions are none.
bool shows(const Dataset& set, int cls);

}  // namespace conclave
