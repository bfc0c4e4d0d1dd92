#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/geometry.h"
#include "datasets/dataset.h"

namespace conclave {

// A view's name. Seed 0 is the plain view: letterboxed, no augmentation, used for evaluation and pseudo labels. The
// seed alone decides what is random: whoever gives seeds out gives each image its own.
struct ViewKey {
  std::uint32_t dataset = 0;  // position in the run's list of sets
  std::uint32_t image = 0;    // position in the set
  std::uint64_t seed = 0;

  bool operator==(const ViewKey&) const = default;
};

inline constexpr std::uint64_t kPlainView = 0;

// How views are drawn. Sizes in pixels.
struct ViewOptions {
  int width = 512, height = 512;             // of every view; multiples of 32
  double flip = 0.5;                         // probability of mirroring left and right
  double scale_min = 0.7, scale_max = 1.35;  // zoom relative to the letterboxed image, log-uniform
  double shift = 0.1;                        // the centre moves by up to this share of the view's width and height
  double brightness = 0.2, contrast = 0.2, saturation = 0.2;  // jitter: factors in [1-x, 1+x]; 0 turns it off
  double min_visible = 0.3;  // a box with less of its area left inside the view is dropped

  bool operator==(const ViewOptions&) const = default;
};

// The random choices of one view; a pure function of its arguments.
struct ViewGeometry {
  Affine image_to_view;  // pixels of the original image -> pixels of the view
  double brightness = 1, contrast = 1, saturation = 1;
};
ViewGeometry view_geometry(const ViewKey& key, int image_width, int image_height, const ViewOptions& options);

// A drawn view. Outside the image it is grey (114,114,114).
struct View {
  ViewKey key;
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;  // (H,W,3), RGB
  Affine image_to_view;
  std::vector<Annotation> annotations;  // boxes in pixels of the view, clipped to it; too little visible: dropped
};

// Reads the image and draws the view. The same bits in any process and thread for the same file and arguments.
// Throws Error for an image that can't be read or is not of the size that `image` states. Thread-safe.
View draw_view(const ImageEntry& image, const ViewKey& key, const ViewOptions& options);
// The same from the file's bytes; image.path is for messages alone.
View draw_view(const ImageEntry& image, const std::string& bytes, const ViewKey& key, const ViewOptions& options);

}  // namespace conclave
