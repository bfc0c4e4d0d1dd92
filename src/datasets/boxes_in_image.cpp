#include "datasets/boxes_in_image.h"

namespace conclave {

std::vector<Detection> boxes_in_image(const std::vector<Detection>& found, const View& view, int width, int height) {
  const Affine to_image = view.image_to_view.inverse();
  std::vector<Detection> kept;
  for (Detection detection : found) {
    detection.box = clip(transform(to_image, detection.box), static_cast<float>(width), static_cast<float>(height));
    if (detection.box.width() > 0 && detection.box.height() > 0) kept.push_back(detection);
  }
  return kept;
}

}  // namespace conclave
