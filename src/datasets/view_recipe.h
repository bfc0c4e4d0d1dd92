#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "datasets/image_size.h"
#include "datasets/view.h"

namespace conclave {

// Everything random about a view, decided before a pixel is read. Pure functions of their arguments: the same in every
// process. Each option draws from a stream of its own, so turning one on leaves what the others choose.

// Pixels [x0, x1) x [y0, y1) of a view.
struct ViewArea {
  int x0 = 0, y0 = 0, x1 = 0, y1 = 0;

  bool empty() const { return x0 >= x1 || y0 >= y1; }
};

// One image's place in a view.
struct ViewPart {
  Affine image_to_view;  // pixels of the original image -> pixels of the view
  ViewArea area;         // that it fills, grey where the image doesn't reach
};

// The random choices of one view.
struct ViewRecipe {
  std::vector<ViewPart> parts;  // its own image; the other three of a mosaic; the one that is mixed in
  double mix = 0;               // share of the last part in every pixel, 1/256 at least; 0: nothing is mixed in
  double brightness = 1, contrast = 1, saturation = 1;  // factors, the same for all parts
  double hue = 0;                                       // share of a full turn about the grey axis
  double blur = 0;                                      // sigma, pixels of the view; 0: none
  ViewArea erased;                                      // painted grey; empty: nothing
};

// Positions in a set of `images` images of those that a view needs beside its own; none for most views.
// REQUIRES: images > 0.
std::vector<std::uint32_t> further_images(const ViewKey& key, std::size_t images, const ViewOptions& options);

// `sizes`: of the view's own image and of the further ones. Throws Error when they are more or fewer than it needs.
ViewRecipe view_recipe(const ViewKey& key, std::span<const ImageSize> sizes, const ViewOptions& options);

}  // namespace conclave
