#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "core/error.h"
#include "core/hash.h"
#include "teachers/byte_stream.h"
#include "teachers/record_format.h"
#include "teachers/record_reader.h"
#include "teachers/record_writer.h"

// The bytes as they are, and once more under a right header and checksum, so that the fuzzer gets behind both. What is
// accepted must encode to the same bytes.
static void check(std::string_view bytes) {
  try {
    if (conclave::write_record(conclave::read_record(bytes)) != bytes) std::abort();
  } catch (const conclave::Error&) {
  }
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(bytes);
  conclave::ByteWriter sealed;
  sealed.bytes(conclave::record::kMagic);
  sealed.u8(conclave::record::kVersion);
  sealed.bytes(bytes);
  sealed.u32(conclave::crc32c(std::as_bytes(std::span(sealed.str()))));
  check(sealed.str());
  return 0;
}
