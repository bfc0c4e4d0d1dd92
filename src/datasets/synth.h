#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace conclave {

// A synthetic street: people and cars among buildings, trees, lamp posts, signs and objects that look a little like
// people and cars, by day, dusk and night.
struct StreetOptions {
  std::string folder;  // receives images/NNNNNN.jpg and annotations.json
  int images = 200;
  int width = 256, height = 192;                          // pixels
  std::uint64_t seed = 1;                                 // equal options give equal bytes
  std::vector<std::string> labelled = {"person", "car"};  // only these classes' boxes (and categories) are written
};

inline const std::vector<std::string>& street_classes() {
  static const std::vector<std::string> classes = {"person", "car"};
  return classes;
}

// Draws the set. Boxes enclose what is visible; an object of which less than a quarter can be seen is written as a
// crowd region, next to nothing not at all. `on_image` (may be empty) is told of each image written, from the calling
// thread. annotations.json is written last: where it exists, the set is whole. Throws Error for an unknown class, sizes
// outside 64..2048 and a folder that can't be written or already holds a set made with other options.
void make_street_set(const StreetOptions& options, const std::function<void(int done)>& on_image = {});

}  // namespace conclave
