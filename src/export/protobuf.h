#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace conclave {

// One message in protobuf's wire format (protobuf.dev/programming-guides/encoding), written field by field. Field
// numbers are those of the .proto that the reader has; a message within a message is written first and put in as bytes.
class ProtoMessage {
 public:
  ProtoMessage& integer(int field, std::int64_t value) {
    tag(field, 0);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  ProtoMessage& real(int field, float value) {
    tag(field, 5);
    append_little_endian(std::bit_cast<std::uint32_t>(value));
    return *this;
  }
  ProtoMessage& bytes(int field, std::string_view value) {
    tag(field, 2);
    varint(value.size());
    text_.append(value);
    return *this;
  }
  ProtoMessage& message(int field, const ProtoMessage& value) { return bytes(field, value.text_); }
  // A repeated number in packed form.
  ProtoMessage& integers(int field, std::span<const std::int64_t> values) {
    ProtoMessage packed;
    for (const std::int64_t value : values) packed.varint(static_cast<std::uint64_t>(value));
    return message(field, packed);
  }

  const std::string& text() const { return text_; }

 private:
  void tag(int field, unsigned wire_type) { varint(static_cast<std::uint64_t>(field) << 3 | wire_type); }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) text_.push_back(static_cast<char>(value | 0x80));
    text_.push_back(static_cast<char>(value));
  }
  void append_little_endian(std::uint32_t bits) {
    for (int i = 0; i < 4; ++i) text_.push_back(static_cast<char>(bits >> (8 * i)));
  }

  std::string text_;
};

// What protobuf's own readers take at most.
inline constexpr std::size_t kLargestProto = (std::size_t{1} << 31) - 1;

}  // namespace conclave
