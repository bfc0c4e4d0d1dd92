#pragma once

#include <cstddef>
#include <opencv2/core/mat.hpp>
#include <string>
#include <vector>

#include "datasets/image_size.h"

namespace conclave {

// Largest image that is read: 100 megapixels. Checked on the header, before any pixel memory is taken.
inline constexpr long long kMaxPixels = 100'000'000;
inline constexpr std::size_t kMaxImageBytes = std::size_t{1} << 29;  // of an image file

// Width and height from the file's header, without decoding. Throws Error (where = path).
ImageSize read_image_size(const std::string& path);

// Pixels as (H,W,3) uint8 in RGB order. `reduce` 1, 2 or 4: the image at ceil(size/reduce), scaled inside the JPEG
// decoder (DCT) or by area for other formats. Throws Error (where = path) for a missing, truncated, damaged or
// oversized file. Thread-safe.
cv::Mat read_image(const std::string& path, int reduce = 1);
cv::Mat decode_image(const std::string& bytes, const std::string& where, int reduce = 1);

// Writes (H,W,3) uint8 RGB; the format is the path's extension (.jpg quality 90 by TurboJPEG; .png needs imgcodecs).
void write_image(const std::string& path, const cv::Mat& rgb);

// Image files that a folder may hold, sorted by name: .jpg .jpeg .png .bmp .webp (any case).
std::vector<std::string> list_images(const std::string& folder);

}  // namespace conclave
