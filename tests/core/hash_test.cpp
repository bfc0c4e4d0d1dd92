#include "core/hash.h"

#include <gtest/gtest.h>

#include <span>
#include <string>

namespace conclave {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// FIPS 180-4's examples and the empty message.
TEST(Sha256, GivesTheKnownDigests) {
  EXPECT_EQ(sha256({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(bytes_of("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(bytes_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(bytes_of(std::string(1000000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// Around the lengths at which the padding needs another block.
TEST(Sha256, GivesTheKnownDigestsAroundABlockOf64Bytes) {
  EXPECT_EQ(sha256(bytes_of(std::string(55, 'a'))), "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
  EXPECT_EQ(sha256(bytes_of(std::string(56, 'a'))), "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a");
  EXPECT_EQ(sha256(bytes_of(std::string(63, 'a'))), "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34");
  EXPECT_EQ(sha256(bytes_of(std::string(64, 'a'))), "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
}

// RFC 3720, appendix B.4.
TEST(Crc32c, IsTheSameWithAndWithoutTheProcessorsInstruction) {
  std::string text;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(crc32c(bytes_of(text), 7), crc32c_portable(bytes_of(text), 7)) << i;
    text += static_cast<char>(i * 37 + i / 7);
  }
}

TEST(Crc32c, GivesTheKnownChecksums) {
  EXPECT_EQ(crc32c({}), 0u);
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xe3069283u);
  EXPECT_EQ(crc32c(bytes_of(std::string(32, '\0'))), 0x8a9136aau);
  EXPECT_EQ(crc32c(bytes_of(std::string(32, '\xff'))), 0x62a8ab43u);
  std::string rising;
  for (int i = 0; i < 32; ++i) rising += static_cast<char>(i);
  EXPECT_EQ(crc32c(bytes_of(rising)), 0x46dd794eu);
}

TEST(Crc32c, ContinuesFromThePartBefore) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += static_cast<char>(37 * i);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const std::uint32_t first = crc32c(bytes_of(text).first(cut));
    EXPECT_EQ(crc32c(bytes_of(text).subspan(cut), first), crc32c(bytes_of(text))) << cut;
  }
}

TEST(Crc32c, NoticesEveryFlippedBit) {
  const std::string text(21, 'x');
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string damaged = text;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(crc32c(bytes_of(damaged)), crc32c(bytes_of(text)));
  }
}

}  // namespace
}  // namespace conclave
