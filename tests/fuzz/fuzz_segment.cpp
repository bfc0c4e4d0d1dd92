#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/hash.h"
#include "store/segment_format.h"
#include "store/segment_reader.h"
#include "teachers/byte_stream.h"

namespace {

using conclave::ByteWriter;

std::uint32_t checksum(std::string_view bytes, std::uint32_t seed = 0) {
  return conclave::crc32c(std::as_bytes(std::span(bytes)), seed);
}

std::string record(const conclave::SegmentEntry& entry, std::string_view payload) {
  ByteWriter out;
  out.u32(static_cast<std::uint32_t>(payload.size()));
  out.u8(static_cast<std::uint8_t>(conclave::segment::Kind::kTarget));
  out.u8(0);
  out.u16(entry.description);
  out.bytes({reinterpret_cast<const char*>(entry.key.bytes.data()), entry.key.bytes.size()});
  const std::uint32_t header = checksum(out.str());
  out.u32(header);
  out.bytes(payload);
  out.u32(checksum(payload, header));
  return out.take();
}

// Every target that is served lies in the file as it would be written.
void check(std::string_view bytes) {
  const int file = ::memfd_create("segment", 0);
  if (file < 0 || ::write(file, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) std::abort();
  try {
    conclave::SegmentReader reader("/proc/self/fd/" + std::to_string(file));
    std::uint64_t end = 0;
    for (const conclave::SegmentEntry& entry : reader.scan()) {
      if (entry.offset < end + conclave::segment::kRecordHeaderBytes) std::abort();
      end = entry.offset + entry.size + conclave::segment::kRecordTrailerBytes;
      const auto payload = reader.read(entry);
      if (!payload) continue;
      const std::string whole = record(entry, *payload);
      if (bytes.substr(entry.offset - conclave::segment::kRecordHeaderBytes, whole.size()) != whole) std::abort();
    }
    const conclave::SegmentState& state = reader.state();
    if (state.size != bytes.size() || state.whole > state.size || state.damaged > state.whole || end > state.whole) {
      std::abort();
    }
    if (!reader.scan().empty()) std::abort();
  } catch (const conclave::Error&) {
  }
  ::close(file);
}

}  // namespace

// The bytes as they are; behind a right header; and as payloads of right records (first byte of a piece odd) with
// damage between them (even).
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(bytes);
  ByteWriter header;
  header.bytes(conclave::segment::kMagic);
  header.u16(conclave::segment::kVersion);
  header.u16(0);
  header.u64(1);
  header.u32(checksum(header.str()));
  check(header.str() + std::string(bytes));

  std::string mixed = header.str();
  conclave::SegmentEntry entry;
  while (bytes.size() >= 2) {
    const std::uint8_t kind = static_cast<std::uint8_t>(bytes[0]), length = static_cast<std::uint8_t>(bytes[1]);
    const std::string_view piece = bytes.substr(2, length);
    bytes.remove_prefix(2 + piece.size());
    ++entry.key.bytes[0];
    mixed += kind % 2 == 1 ? record(entry, piece) : std::string(piece);
  }
  check(mixed);
  return 0;
}
