#pragma once

#include <opencv2/core/mat.hpp>
#include <string>

namespace conclave {

// JPEG through TurboJPEG. Its warnings (data that ends early, bad Huffman codes) are errors here: libjpeg would fill
// the rest with grey, and a training set would swallow it. CMYK is read as Adobe stores it (inverted). EXIF is not
// looked at. REQUIRES: the header was checked by require_image_header.
cv::Mat decode_jpeg(const std::string& bytes, const std::string& where, int reduce);

std::string encode_jpeg(const cv::Mat& rgb, int quality);

}  // namespace conclave
