#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// The constants of the soft-target record. PROTOCOL.md specifies every byte; record_writer and record_reader implement
// it.
namespace conclave::record {

inline constexpr std::string_view kMagic = "CSTR";
inline constexpr std::uint8_t kVersion = 1;

inline constexpr std::size_t kHeaderBytes = 12;  // magic, version, flags, channels, height, width
inline constexpr std::size_t kTrailerBytes = 4;  // CRC-32C of everything before it
inline constexpr std::size_t kLogitBytes = 2;    // half
inline constexpr std::size_t kBoxBytes = 8;      // four halves: w, h, dx, dy

inline constexpr int kMaxSide = 4096;      // of the grid, cells
inline constexpr int kMaxCells = 1 << 22;  // height * width
inline constexpr int kMaxChannels = 1024;

// Infinities and NaN have all exponent bits set.
inline constexpr bool is_finite(std::uint16_t half) {
  return (half & 0x7c00) != 0x7c00;
}

}  // namespace conclave::record
