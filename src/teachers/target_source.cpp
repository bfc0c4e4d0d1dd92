#include "teachers/target_source.h"

#include <filesystem>

namespace conclave {

std::string image_path(const TargetRequest& request, const std::string& root) {
  const std::filesystem::path path(request.path);
  return root.empty() || path.is_absolute() ? request.path : (std::filesystem::path(root) / path).string();
}

View draw_view(const TargetRequest& request, const ViewOptions& options, const std::string& root) {
  ImageEntry image;
  image.path = image_path(request, root);
  image.width = request.width;
  image.height = request.height;
  if (request.image) return draw_view(image, *request.image, request.key, options);
  return draw_view(image, request.key, options);
}

}  // namespace conclave
