#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/geometry.h"
#include "datasets/dataset.h"

namespace cv {
class Mat;
}

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
  double min_visible = 0.3;                                   // a box with less of its area left to see is dropped

  // Beyond the basics (docs/training.md): each is off at 0. Probabilities are per view.
  double hue = 0;                            // jitter: the hue turns by up to this share of a full turn, either way
  double grey = 0;                           // probability of a view without colour
  double blur = 0;                           // probability of a Gaussian blur
  double blur_min = 0.5, blur_max = 2;       // its sigma, pixels of the view
  double erase = 0;                          // probability of a grey rectangle over the view
  double erase_min = 0.02, erase_max = 0.2;  // its share of the view's area
  double mosaic = 0;                         // probability of four images of the set side by side
  double mosaic_min = 0.5, mosaic_max = 1;   // their zoom relative to the letterboxed image, log-uniform
  double mix = 0;                            // probability of another image of the set shining through
  double mix_min = 0.3, mix_max = 0.5;       // its share of every pixel

  bool operator==(const ViewOptions&) const = default;
};

// A drawn view. Outside the image it is grey (114,114,114).
struct View {
  ViewKey key;
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;     // (H,W,3), RGB
  Affine image_to_view;                 // of the view's own image
  std::vector<Annotation> annotations;  // boxes in pixels of the view, clipped to it; too little visible: dropped
};

// One image that a view is drawn from.
struct ViewImage {
  const ImageEntry& entry;
  const std::string* bytes =
      nullptr;  // of the file; null: it is read from entry.path, which else is for messages alone
};

// Draws the view: the key's own image and, in this order, those that further_images (view_recipe.h) names. The same
// bits in any process and thread for the same files and arguments. Throws Error for an image that can't be read or is
// not of the size that its entry states. Thread-safe.
View draw_view(std::span<const ViewImage> images, const ViewKey& key, const ViewOptions& options);
// The same, from the files of the key's set. Throws Error for an image that the set does not have.
View draw_view(const Dataset& set, const ViewKey& key, const ViewOptions& options);
// The same. REQUIRES: a view of one image (a plain one, or no mosaic and no mix).
View draw_view(const ImageEntry& image, const ViewKey& key, const ViewOptions& options);

}  // namespace conclave
