#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor_file.h"

namespace conclave {

inline constexpr std::size_t kMaxTensorHeader = 100'000'000;  // bytes of JSON
inline constexpr std::size_t kMaxTensorRank = 16;

// One entry of a safetensors header, not yet checked against the file. Offsets are relative to the end of the header.
struct TensorEntry {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;  // each >= 0
  std::uint64_t begin = 0, end = 0;
};

struct TensorHeader {
  std::map<std::string, std::string> metadata;
  std::vector<TensorEntry> tensors;  // in the file's order
};

// Reads the JSON of a header in one pass, in memory proportional to it. Throws Error (where = `where`) for anything
// that is not exactly the format: other keys, other types, a name or key twice, an unknown dtype, a negative size.
TensorHeader parse_tensor_header(std::string_view json, const std::string& where);

// A name as shown in messages: bounded, control characters replaced.
std::string printable_name(const std::string& name);

}  // namespace conclave
