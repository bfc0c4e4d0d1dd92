#include "datasets/image_header.h"

#include <cstdint>
#include <cstdlib>
#include <limits>

#include "core/error.h"

namespace conclave {
namespace {

class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}

  bool has(std::size_t offset, std::size_t count) const {
    return offset <= bytes_.size() && count <= bytes_.size() - offset;
  }
  std::uint32_t at(std::size_t i) const { return static_cast<unsigned char>(bytes_[i]); }
  std::uint32_t big16(std::size_t i) const { return at(i) << 8 | at(i + 1); }
  std::uint32_t big32(std::size_t i) const { return big16(i) << 16 | big16(i + 2); }
  std::uint32_t little16(std::size_t i) const { return at(i) | at(i + 1) << 8; }
  std::uint32_t little24(std::size_t i) const { return little16(i) | at(i + 2) << 16; }
  std::uint32_t little32(std::size_t i) const { return little16(i) | little16(i + 2) << 16; }
  bool is(std::size_t offset, std::string_view text) const {
    return has(offset, text.size()) && bytes_.substr(offset, text.size()) == text;
  }
  std::size_t size() const { return bytes_.size(); }

 private:
  std::string_view bytes_;
};

// A header may state more than an int holds; what matters is only that it is far too much.
int bounded(std::uint32_t value) {
  constexpr std::uint32_t most = std::numeric_limits<int>::max();
  return static_cast<int>(value < most ? value : most);
}

void set_size(ImageHeader& header, std::uint32_t width, std::uint32_t height) {
  header.size = {bounded(width), bounded(height)};
  header.complete = true;
}

// Segments up to the frame header (ITU T.81, B.2.2).
void parse_jpeg(const Bytes& b, ImageHeader& header) {
  std::size_t i = 2;
  while (b.has(i, 4)) {
    if (b.at(i) != 0xFF) return;
    const std::uint32_t marker = b.at(i + 1);
    if (marker == 0xFF) {  // fill byte
      ++i;
      continue;
    }
    if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {  // no payload
      i += 2;
      continue;
    }
    if (marker == 0xD9 || marker == 0xDA) return;
    const bool frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (frame) {
      if (b.has(i, 9)) set_size(header, b.big16(i + 7), b.big16(i + 5));
      return;
    }
    i += 2 + b.big16(i + 2);
  }
}

void parse_png(const Bytes& b, ImageHeader& header) {
  if (b.is(12, "IHDR") && b.has(16, 8)) set_size(header, b.big32(16), b.big32(20));
}

void parse_bmp(const Bytes& b, ImageHeader& header) {
  if (!b.has(14, 12)) return;
  if (b.little32(14) == 12) return set_size(header, b.little16(18), b.little16(20));
  // A negative height means rows from top to bottom.
  const auto height = static_cast<std::int64_t>(static_cast<std::int32_t>(b.little32(22)));
  set_size(header, b.little32(18), static_cast<std::uint32_t>(std::abs(height)));
}

// RFC 9649: simple lossy, simple lossless, extended.
void parse_webp(const Bytes& b, ImageHeader& header) {
  if (b.is(12, "VP8 ") && b.has(26, 4)) set_size(header, b.little16(26) & 0x3FFF, b.little16(28) & 0x3FFF);
  if (b.is(12, "VP8L") && b.has(21, 4)) {
    const std::uint32_t bits = b.little32(21);
    set_size(header, (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1);
  }
  if (b.is(12, "VP8X") && b.has(24, 6)) set_size(header, b.little24(24) + 1, b.little24(27) + 1);
}

}  // namespace

ImageHeader parse_image_header(std::string_view bytes) {
  const Bytes b(bytes);
  ImageHeader header;
  if (b.is(0, "\xFF\xD8\xFF")) {
    header.format = ImageFormat::kJpeg;
    parse_jpeg(b, header);
  } else if (b.is(0, "\x89PNG\r\n\x1A\n")) {
    header.format = ImageFormat::kPng;
    parse_png(b, header);
  } else if (b.is(0, "RIFF") && b.is(8, "WEBP")) {
    header.format = ImageFormat::kWebp;
    parse_webp(b, header);
  } else if (b.is(0, "BM")) {
    header.format = ImageFormat::kBmp;
    parse_bmp(b, header);
  }
  return header;
}

ImageHeader require_image_header(std::string_view bytes, const std::string& where) {
  const ImageHeader header = parse_image_header(bytes);
  if (bytes.empty()) throw Error("the file is empty", where);
  if (header.format == ImageFormat::kUnknown) {
    throw Error("not an image", where, "JPEG, PNG, BMP and WebP are read");
  }
  if (!header.complete) throw Error(std::string(name_of(header.format)) + " header is damaged or cut short", where);
  const auto [width, height] = header.size;
  const std::string size = std::to_string(width) + "x" + std::to_string(height);
  if (width < 1 || height < 1) throw Error("the header states an image of " + size + " pixels", where);
  if (static_cast<long long>(width) * height > kMaxPixels) {
    throw Error("the header states an image of " + size + " pixels; at most " + std::to_string(kMaxPixels / 1000000) +
                    " megapixels are read",
                where, "scale the image down or remove it from the set");
  }
  return header;
}

const char* name_of(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg:
      return "JPEG";
    case ImageFormat::kPng:
      return "PNG";
    case ImageFormat::kBmp:
      return "BMP";
    case ImageFormat::kWebp:
      return "WebP";
    case ImageFormat::kUnknown:
      break;
  }
  return "unknown";
}

}  // namespace conclave
