#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/error.h"
#include "core/tensor_file.h"

// What is accepted must serialize, and what is serialized must read back the same and serialize to the same bytes.
static void check(std::string bytes) {
  try {
    const conclave::TensorFile file = conclave::TensorFile::parse(std::move(bytes), "fuzz");
    const std::string once = conclave::serialize_tensors(file.tensors(), file.metadata());
    const conclave::TensorFile again = conclave::TensorFile::parse(once, "again");
    if (conclave::serialize_tensors(again.tensors(), again.metadata()) != once) std::abort();
    if (again.metadata() != file.metadata() || again.tensors().size() != file.tensors().size()) std::abort();
    std::uint64_t sum = 0;  // every byte that a view promises is there
    for (const auto& [name, tensor] : file.tensors()) {
      for (std::byte b : tensor.bytes) sum += static_cast<std::uint64_t>(b);
      if (again.at(name).shape != tensor.shape || again.at(name).dtype != tensor.dtype) std::abort();
    }
    if (sum == UINT64_MAX) std::abort();
  } catch (const conclave::Error&) {
  }
}

// The bytes as they are, and once more as a header of the right length with 24 bytes of data behind it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  check(bytes);
  std::string framed;
  for (int i = 0; i < 8; ++i) framed += static_cast<char>(std::uint64_t{size} >> (8 * i));
  check(framed + bytes + std::string(24, '\x3f'));
  return 0;
}
