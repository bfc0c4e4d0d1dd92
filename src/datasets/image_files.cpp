#include "datasets/image_files.h"

#include <algorithm>
#include <filesystem>
#include <unordered_set>

#include "core/error.h"
#include "core/real_path.h"
#include "datasets/coco_file.h"
#include "datasets/image_io.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

}  // namespace

std::vector<std::string> image_files(const DatasetOptions& options) {
  std::vector<std::string> files;
  if (options.annotations.empty()) {
    if (!fs::is_directory(options.images)) throw Error("no such folder of images", options.images);
    for (const std::string& path : list_images(options.images)) files.push_back(real_path(path));
  } else {
    for (const CocoImage& image : read_coco(options.annotations).images) {
      files.push_back(real_path(fs::path(options.images) / image.file_name));
    }
  }
  if (options.limit > 0) files.resize(std::min<std::size_t>(files.size(), options.limit));
  return files;
}

std::size_t shared_images(const Dataset& set, const std::vector<Dataset>& others) {
  std::unordered_set<std::string> files;
  for (const ImageEntry& image : set.images) files.insert(real_path(image.path));
  std::unordered_set<std::string> shared;
  for (const Dataset& other : others) {
    for (const ImageEntry& image : other.images) {
      const std::string file = real_path(image.path);
      if (files.contains(file)) shared.insert(file);
    }
  }
  return shared.size();
}

}  // namespace conclave
