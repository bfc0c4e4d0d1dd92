#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

namespace conclave {

// What a detector is made of; the zoo (zoo.h) turns it into a network.
struct Architecture {
  std::string backbone = "resnet18";  // resnet18, resnet34, resnet50
  int width = 64;               // channels of the first stage (64 is the published network; 16 is a quarter of it)
  std::string neck = "deconv";  // three stages of 2x deconvolution
  std::array<int, 3> neck_channels = {256, 128, 64};
  bool skip = false;          // lateral 1x1 connections from the backbone into each neck stage
  int head_channels = 64;     // of the 3x3 convolution before each head's 1x1
  bool wh_per_class = false;  // each class has a width and a height of its own in every cell

  bool operator==(const Architecture&) const = default;
};

// Everything needed to run a detector on an image; stored in the weights' metadata.
struct ModelSpec {
  Architecture architecture;
  std::vector<std::string> classes;                          // heat channel c is classes[c]
  int width = 512, height = 512;                             // input size that it was trained at, pixels
  std::array<float, 3> mean = {123.675f, 116.28f, 103.53f};  // RGB, of pixels in [0,255]
  std::array<float, 3> std = {58.395f, 57.12f, 57.375f};
};

inline constexpr int kStride = 4;  // input pixels per output cell

// To and from the string map of a weights file. from_metadata throws Error (where = `where`) for missing or bad
// entries.
std::map<std::string, std::string> to_metadata(const ModelSpec& spec);
ModelSpec from_metadata(const std::map<std::string, std::string>& metadata, const std::string& where);

}  // namespace conclave
