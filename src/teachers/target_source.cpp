#include "teachers/target_source.h"

#include <filesystem>

#include "datasets/view_recipe.h"

namespace conclave {

TargetRequest request_of(const Dataset& set, const ViewKey& key, const ViewOptions& options) {
  const ImageEntry& own = set.images.at(key.image);
  TargetRequest request{key, own.path, own.width, own.height};
  for (const std::uint32_t other : further_images(key, set.images.size(), options)) {
    const ImageEntry& image = set.images[other];
    request.further.push_back({image.path, image.width, image.height});
  }
  return request;
}

std::vector<ImageFile> images_of(const TargetRequest& request) {
  std::vector<ImageFile> images = {{request.path, request.width, request.height, request.image}};
  images.insert(images.end(), request.further.begin(), request.further.end());
  return images;
}

std::string image_path(const std::string& path, const std::string& root) {
  const std::filesystem::path given(path);
  return root.empty() || given.is_absolute() ? path : (std::filesystem::path(root) / given).string();
}

View draw_view(const TargetRequest& request, const ViewOptions& options, const std::string& root) {
  const std::vector<ImageFile> files = images_of(request);
  std::vector<ImageEntry> entries;
  for (const ImageFile& file : files) {
    ImageEntry& entry = entries.emplace_back();
    entry.path = image_path(file.path, root);
    entry.width = file.width;
    entry.height = file.height;
  }
  std::vector<ViewImage> images;
  for (std::size_t i = 0; i < files.size(); ++i) images.push_back({entries[i], files[i].image.get()});
  return draw_view(images, request.key, options);
}

}  // namespace conclave
