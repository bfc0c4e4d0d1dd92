#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>

#include "models/weights.h"

namespace conclave {

inline std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path(CONCLAVE_SOURCE_DIR) / "tests" / "golden" / name;
}

inline TensorMap golden_tensors(const std::string& name) {
  return read_tensor_map(TensorFile::open(golden(name)));
}

// The smallest network that has every kind of part.
inline ModelSpec small_spec() {
  ModelSpec spec;
  spec.architecture = {.width = 2, .neck_channels = {6, 5, 4}, .skip = true, .head_channels = 3};
  spec.classes = {"cat", "dog, \"big\""};
  spec.width = 96;
  spec.height = 64;
  return spec;
}

}  // namespace conclave
