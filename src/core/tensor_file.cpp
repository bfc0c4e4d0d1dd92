#include "core/tensor_file.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"
#include "core/tensor_header.h"

namespace conclave {
namespace {

constexpr std::size_t kPrefix = 8;  // bytes of the header's length

std::uint64_t header_length(const std::vector<char>& bytes, const std::string& where) {
  if (bytes.size() < kPrefix) throw Error("the file is too short to be a tensor file", where);
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kPrefix; ++i) length |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  if (length > kMaxTensorHeader)
    throw Error(
        "this is no safetensors file: its header would have " + std::to_string(length) + " bytes, more than 100 MB",
        where);
  if (length > bytes.size() - kPrefix) throw Error("the header reaches past the end of the file", where);
  if (length < 2 || bytes[kPrefix] != '{') throw Error("the header does not begin with '{'", where);
  return length;
}

// Bytes of the tensor by its shape; Error when that overflows.
std::uint64_t stated_size(DType dtype, const std::vector<std::int64_t>& shape, const std::string& where) {
  std::uint64_t size = size_of(dtype);
  for (std::int64_t n : shape)
    if (n < 0 || __builtin_mul_overflow(size, static_cast<std::uint64_t>(n), &size))
      throw Error(n < 0 ? "a size is negative" : "the shape overflows", where);
  return size;
}

void check_sizes(const std::vector<TensorEntry>& entries, std::uint64_t available, const std::string& where) {
  std::uint64_t expected = 0;
  for (const TensorEntry& entry : entries) {  // in order of their bytes
    const std::string place = where + ": tensor '" + printable_name(entry.name) + "'";
    if (entry.begin > entry.end || entry.end > available)
      throw Error("the tensor reaches past the end of the file", place);
    if (entry.end - entry.begin != stated_size(entry.dtype, entry.shape, place))
      throw Error("the shape and the number of bytes don't match", place);
    if (entry.begin < expected) throw Error("the tensor overlaps another one", place);
    if (entry.begin > expected) throw Error("there is a gap before the tensor", place);
    expected = entry.end;
  }
  if (expected != available)
    throw Error(std::to_string(available - expected) + " bytes at the end belong to no tensor", where);
}

}  // namespace

std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::kBool:
    case DType::kU8:
    case DType::kI8:
      return 1;
    case DType::kI16:
    case DType::kF16:
    case DType::kBF16:
      return 2;
    case DType::kI32:
    case DType::kF32:
      return 4;
    case DType::kI64:
    case DType::kF64:
      return 8;
  }
  return 0;
}

TensorFile TensorFile::open(const std::filesystem::path& path) {
  return parse(read_file(path), path.string());
}

TensorFile TensorFile::parse(std::string bytes, const std::string& where) {
  TensorFile file;
  file.where_ = where;
  file.bytes_.assign(bytes.begin(), bytes.end());
  bytes = {};

  const std::uint64_t length = header_length(file.bytes_, where);
  TensorHeader header = parse_tensor_header({file.bytes_.data() + kPrefix, length}, where);
  std::stable_sort(header.tensors.begin(), header.tensors.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  const std::span<const char> data(file.bytes_.data() + kPrefix + length, file.bytes_.size() - kPrefix - length);
  check_sizes(header.tensors, data.size(), where);

  file.metadata_ = std::move(header.metadata);
  for (TensorEntry& entry : header.tensors)
    file.tensors_[entry.name] = {entry.dtype, std::move(entry.shape),
                                 std::as_bytes(data.subspan(entry.begin, entry.end - entry.begin))};
  return file;
}

const TensorView& TensorFile::at(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw Error("there is no tensor '" + printable_name(name) + "' in the file", where_);
  return found->second;
}

std::string serialize_tensors(const std::map<std::string, TensorView>& tensors,
                              const std::map<std::string, std::string>& metadata) {
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const std::string place = "tensor '" + printable_name(name) + "'";
    if (name == "__metadata__") throw Error("the name is reserved", place);
    if (tensor.shape.size() > kMaxTensorRank) throw Error("more than 16 dimensions", place);
    if (stated_size(tensor.dtype, tensor.shape, place) != tensor.bytes.size())
      throw Error("the shape and the number of bytes don't match", place);
    header[name] = {{"dtype", name_of(tensor.dtype)},
                    {"shape", tensor.shape},
                    {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
  }

  std::string json;
  try {
    json = header.dump();
  } catch (const nlohmann::json::exception&) {
    throw Error("a tensor's name or the metadata is not valid UTF-8", "tensor file");
  }
  json.resize((json.size() + 7) / 8 * 8, ' ');  // the data begins at a multiple of 8
  if (json.size() > kMaxTensorHeader) throw Error("the header would be larger than 100 MB", "tensor file");

  std::string out;
  out.reserve(kPrefix + json.size() + offset);
  for (std::size_t i = 0; i < kPrefix; ++i) out += static_cast<char>(std::uint64_t{json.size()} >> (8 * i));
  out += json;
  for (const auto& [name, tensor] : tensors)
    if (!tensor.bytes.empty()) out.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
  return out;
}

void write_tensors(const std::filesystem::path& path, const std::map<std::string, TensorView>& tensors,
                   const std::map<std::string, std::string>& metadata) {
  write_file_atomically(path, serialize_tensors(tensors, metadata));
}

}  // namespace conclave
