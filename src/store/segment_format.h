#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// The constants of a segment file. STORE.md specifies every byte; segment_writer and segment_reader implement it.
namespace conclave::segment {

inline constexpr std::string_view kMagic = "CSEG";
inline constexpr std::uint16_t kVersion = 1;
inline constexpr std::string_view kExtension = ".seg";

inline constexpr std::size_t kFileHeaderBytes = 20;    // magic, version, zero, time, CRC-32C of the 16 before
inline constexpr std::size_t kRecordHeaderBytes = 28;  // size, kind, zero, description, key, CRC-32C of the 24 before
inline constexpr std::size_t kRecordTrailerBytes = 4;  // CRC-32C of the payload, seeded with the header's

inline constexpr std::uint32_t kMaxPayload = 1u << 26;
inline constexpr std::uint32_t kMaxDescription = 1u << 16;

enum class Kind : std::uint8_t {
  kDescription = 1,  // payload: UTF-8 text; `description` is its own number in this segment, the key is zero
  kTarget = 2        // payload: a soft-target record; `description` says whose
};

}  // namespace conclave::segment
