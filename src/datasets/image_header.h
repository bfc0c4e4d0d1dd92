#pragma once

#include <string_view>

#include "datasets/image_io.h"

namespace conclave {

enum class ImageFormat { kUnknown, kJpeg, kPng, kBmp, kWebp };

struct ImageHeader {
  ImageFormat format = ImageFormat::kUnknown;
  ImageSize size;         // as stored; EXIF orientation is not applied anywhere
  bool complete = false;  // false: the size lies beyond `bytes` (or the format is unknown), `size` is 0
};

// Looks at the first bytes of a file. Reads nothing past `bytes`, allocates nothing, throws nothing.
ImageHeader parse_image_header(std::string_view bytes);

// The same, but throws Error (where = `where`) for anything that is not an image of 1 to kMaxPixels pixels.
ImageHeader require_image_header(std::string_view bytes, const std::string& where);

const char* name_of(ImageFormat format);

}  // namespace conclave
