#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/error.h"
#include "teachers/byte_stream.h"
#include "teachers/frame.h"

// The bytes as they are, and once more behind a right magic and version. What is accepted must encode to the same
// bytes.
static void check(std::string_view bytes) {
  try {
    const conclave::Frame frame = conclave::parse_frame(bytes);
    std::visit(
        [&](const auto& f) {
          using T = std::decay_t<decltype(f)>;
          if constexpr (std::is_same_v<T, conclave::Refusal>) {  // a refusal of any version is read
            if (conclave::encode(f).substr(6) != bytes.substr(6)) std::abort();
          } else if constexpr (!std::is_same_v<T, conclave::OtherVersion>) {
            if (conclave::encode(f) != bytes) std::abort();
          }
        },
        frame);
  } catch (const conclave::Error&) {
  }
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(bytes);
  conclave::ByteWriter framed;
  framed.bytes(conclave::kFrameMagic);
  framed.u16(conclave::kProtocolVersion);
  framed.bytes(bytes);
  check(framed.str());
  return 0;
}
