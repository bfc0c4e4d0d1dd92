#include "datasets/dataset.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <unordered_map>

#include "core/error.h"
#include "core/join.h"
#include "core/log.h"
#include "datasets/coco_file.h"
#include "datasets/image_io.h"

namespace conclave {
namespace {

int index_of(const std::vector<std::string>& names, const std::string& name) {
  const auto it = std::find(names.begin(), names.end(), name);
  return it == names.end() ? -1 : static_cast<int>(it - names.begin());
}

void require_folder(const std::string& folder) {
  if (!std::filesystem::is_directory(folder)) throw Error("no such folder of images", folder);
}

Dataset list_folder(const DatasetOptions& options) {
  require_folder(options.images);
  Dataset set;
  std::vector<std::string> paths = list_images(options.images);
  if (paths.empty()) throw Error("there is no image in the folder", options.images, "JPEG, PNG, BMP, WebP are read");
  if (options.limit > 0) paths.resize(std::min<std::size_t>(paths.size(), options.limit));
  for (const std::string& path : paths) {
    const ImageSize size = read_image_size(path);
    set.images.push_back({path, size.width, size.height, static_cast<std::int64_t>(set.images.size()), {}});
  }
  return set;
}

// -1 for categories that are not the student's.
std::unordered_map<std::int64_t, int> class_of_category(const CocoFile& file, const std::vector<std::string>& classes) {
  std::unordered_map<std::int64_t, int> map;
  for (const CocoCategory& category : file.categories) map[category.id] = index_of(classes, category.name);
  return map;
}

ImageEntry image_entry(const CocoImage& image, const DatasetOptions& options) {
  ImageEntry entry;
  entry.id = image.id;
  entry.width = image.width;
  entry.height = image.height;
  entry.path = (std::filesystem::path(options.images) / image.file_name).string();
  const bool unsized_image = image.width == 0 || image.height == 0;
  if ((unsized_image || !options.images.empty()) && !std::filesystem::is_regular_file(entry.path)) {
    throw Error("image " + std::to_string(image.id) + ": there is no file " + entry.path, options.annotations);
  }
  if (unsized_image) {
    const ImageSize size = read_image_size(entry.path);
    entry.width = size.width;
    entry.height = size.height;
  }
  return entry;
}

Annotation annotation_of(const CocoAnnotation& a, int cls) {
  Annotation annotation;
  annotation.box = {static_cast<float>(a.x), static_cast<float>(a.y), static_cast<float>(a.x + a.width),
                    static_cast<float>(a.y + a.height)};
  annotation.cls = cls;
  annotation.crowd = a.crowd;
  annotation.area = static_cast<float>(a.area);
  annotation.id = a.id;
  return annotation;
}

bool differ_in_case(const std::string& one, const std::string& other) {
  return one != other && std::equal(one.begin(), one.end(), other.begin(), other.end(), [](char a, char b) {
           return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
         });
}

// A misspelt class would leave its boxes out without a word.
void warn_of_other_names(const DatasetOptions& options, const std::vector<std::string>& categories,
                         const std::vector<std::string>& classes) {
  bool any = categories.empty();
  for (const std::string& name : classes) {
    any = any || index_of(categories, name) >= 0;
    for (const std::string& category : categories) {
      if (!differ_in_case(name, category) || index_of(categories, name) >= 0) continue;
      log::warn("{}: its category is '{}', not '{}': boxes of it are not used", options.annotations, category, name);
    }
  }
  if (!any) {
    log::warn("{} has none of the classes {}: its categories are {}", options.annotations, join(classes),
              join(categories));
  }
}

Dataset from_coco(const DatasetOptions& options, const CocoFile& file, const std::vector<std::string>& classes) {
  if (!options.images.empty()) require_folder(options.images);
  Dataset set;
  std::unordered_map<std::int64_t, std::size_t> position;
  for (const CocoImage& image : file.images) {
    if (options.limit > 0 && set.images.size() == static_cast<std::size_t>(options.limit)) break;
    position[image.id] = set.images.size();
    set.images.push_back(image_entry(image, options));
  }
  const auto class_of = class_of_category(file, classes);
  for (const CocoAnnotation& a : file.annotations) {
    const auto image = position.find(a.image_id);
    const int cls = class_of.at(a.category_id);
    if (image != position.end() && cls >= 0) set.images[image->second].annotations.push_back(annotation_of(a, cls));
  }
  return set;
}

}  // namespace

Dataset load_dataset(const DatasetOptions& options, const std::vector<std::string>& classes) {
  std::vector<std::string> labelled = options.labelled;
  std::vector<std::string> known = classes;
  Dataset set;
  if (options.annotations.empty()) {
    set = list_folder(options);
    if (!labelled.empty()) {
      throw Error("set " + options.name + " says it is labelled for " + join(labelled) + " but names no annotations",
                  options.images, "give `annotations`, or leave `labelled` out");
    }
  } else {
    const CocoFile file = read_coco(options.annotations);
    set = from_coco(options, file, classes);
    std::vector<std::string> categories;
    for (const CocoCategory& category : file.categories) categories.push_back(category.name);
    warn_of_other_names(options, categories, classes);
    for (const std::string& name : labelled) {
      if (index_of(classes, name) < 0 || index_of(categories, name) >= 0) continue;
      throw Error(
          "set " + options.name + " says it is labelled for \"" + name + "\", but the file has no such category",
          options.annotations, "it has " + join(categories) + "; name the class as the file does");
    }
    known.insert(known.end(), categories.begin(), categories.end());
    if (options.all_labelled) labelled = std::move(categories);
  }
  for (const std::string& name : labelled) {
    if (index_of(known, name) >= 0) continue;
    throw Error("set " + options.name + " says it is labelled for \"" + name + "\", which is no class",
                options.annotations, "known are " + join(known));
  }
  set.name = options.name;
  set.classes = classes;
  for (const std::string& name : classes) set.labelled.push_back(index_of(labelled, name) >= 0);
  return set;
}

bool shows(const Dataset& set, int cls) {
  return std::any_of(set.images.begin(), set.images.end(), [&](const ImageEntry& image) {
    return std::any_of(image.annotations.begin(), image.annotations.end(),
                       [&](const Annotation& object) { return object.cls == cls && !object.crowd; });
  });
}

}  // namespace conclave
