#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace conclave {

// The safetensors format (https://github.com/huggingface/safetensors): 8 bytes little-endian header length, a JSON
// header
// {"name": {"dtype", "shape", "data_offsets"}, "__metadata__": {string: string}}, then the tensors' bytes.
enum class DType { kBool, kU8, kI8, kI16, kI32, kI64, kF16, kBF16, kF32, kF64 };

std::size_t size_of(DType dtype);
const char* name_of(DType dtype);  // "F32", ...

struct TensorView {
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  // row-major, little-endian; not owned
};

// A checked file. Owns the bytes; the views point into it and live as long as it does.
// Throws Error (where = the file, and the tensor) for: a header over 100 MB or past the end, invalid JSON, duplicate
// names, unknown dtypes, negative or overflowing shapes, sizes that don't match, tensors that overlap, leave gaps or
// reach past the end.
class TensorFile {
 public:
  static TensorFile open(const std::filesystem::path& path);
  static TensorFile parse(std::string bytes, const std::string& where);

  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  const TensorView& at(const std::string& name) const;  // throws Error that names the tensor and the file
  const std::string& where() const { return where_; }

 private:
  std::string where_;
  std::vector<char> bytes_;  // a vector: moving it keeps the views valid
  std::map<std::string, std::string> metadata_;
  std::map<std::string, TensorView> tensors_;
};

// The file's bytes; tensors in name order, metadata sorted: equal content gives equal bytes.
std::string serialize_tensors(const std::map<std::string, TensorView>& tensors,
                              const std::map<std::string, std::string>& metadata);

// serialize_tensors + write_file_atomically.
void write_tensors(const std::filesystem::path& path, const std::map<std::string, TensorView>& tensors,
                   const std::map<std::string, std::string>& metadata);

}  // namespace conclave
