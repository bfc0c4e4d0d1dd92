#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.h"

namespace conclave {

// Appends little-endian numbers to a string of bytes.
class ByteWriter {
 public:
  void u8(std::uint8_t v) { bytes_.push_back(static_cast<char>(v)); }
  void u16(std::uint16_t v) { fixed(v, 2); }
  void u32(std::uint32_t v) { fixed(v, 4); }
  void u64(std::uint64_t v) { fixed(v, 8); }
  void f32(float v) { u32(std::bit_cast<std::uint32_t>(v)); }
  void f64(double v) { u64(std::bit_cast<std::uint64_t>(v)); }
  void bytes(std::string_view v) { bytes_.append(v); }
  void u16s(std::span<const std::uint16_t> v) {
    if constexpr (std::endian::native == std::endian::little) {
      bytes_.append(reinterpret_cast<const char*>(v.data()), 2 * v.size());
    } else {
      for (const std::uint16_t one : v) u16(one);
    }
  }

  // LEB128: seven bits per byte, low first, the top bit says that more follow.
  void varint(std::uint32_t v) {
    for (; v >= 0x80; v >>= 7) u8(static_cast<std::uint8_t>(v | 0x80));
    u8(static_cast<std::uint8_t>(v));
  }

  const std::string& str() const { return bytes_; }
  std::string take() { return std::move(bytes_); }

 private:
  void fixed(std::uint64_t v, int n) {
    for (int i = 0; i < n; ++i) u8(static_cast<std::uint8_t>(v >> (8 * i)));
  }

  std::string bytes_;
};

// Reads what ByteWriter wrote. Every read past the end throws Error (where = `what`); nothing is ever allocated before
// the bytes for it are known to be there. The bytes must outlive the reader.
class ByteReader {
 public:
  ByteReader(std::string_view bytes, const char* what) : bytes_(bytes), what_(what) {}

  std::size_t remaining() const { return bytes_.size() - at_; }

  std::uint8_t u8() { return static_cast<std::uint8_t>(fixed(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(fixed(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(fixed(4)); }
  std::uint64_t u64() { return fixed(8); }
  float f32() { return std::bit_cast<float>(u32()); }
  double f64() { return std::bit_cast<double>(u64()); }

  // As many as `out` holds.
  void u16s(std::span<std::uint16_t> out) {
    const std::string_view all = bytes(2 * out.size());
    if constexpr (std::endian::native == std::endian::little) {
      if (!out.empty()) std::memcpy(out.data(), all.data(), all.size());
    } else {
      for (std::size_t i = 0; i < out.size(); ++i) {
        const auto low = static_cast<std::uint8_t>(all[2 * i]), high = static_cast<std::uint8_t>(all[2 * i + 1]);
        out[i] = static_cast<std::uint16_t>(low | high << 8);
      }
    }
  }

  std::string_view bytes(std::size_t n) {
    need(n);
    at_ += n;
    return bytes_.substr(at_ - n, n);
  }

  // Only the shortest form of a number is taken, so that equal content has equal bytes.
  std::uint32_t varint() {
    std::uint64_t v = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      const std::uint8_t byte = u8();
      v |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte & 0x80) continue;
      if (shift > 0 && byte == 0) fail("a number is not in its shortest form");
      if (v > 0xffffffffu) fail("a number is larger than 32 bits");
      return static_cast<std::uint32_t>(v);
    }
    fail("a number is longer than 5 bytes");
  }

  void end() const {
    if (remaining() != 0) fail(std::to_string(remaining()) + " bytes follow the end");
  }

  [[noreturn]] void fail(const std::string& why) const { throw Error(why, what_); }

 private:
  void need(std::size_t n) const {
    if (remaining() < n) fail("cut short at byte " + std::to_string(at_));
  }

  std::uint64_t fixed(std::size_t n) {
    need(n);
    std::uint64_t v = 0;
    for (std::size_t i = 0; i < n; ++i)
      v |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(bytes_[at_ + i])) << (8 * i);
    at_ += n;
    return v;
  }

  std::string_view bytes_;
  const char* what_;
  std::size_t at_ = 0;
};

}  // namespace conclave
