#include "student/tensorboard.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/file.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

std::string hex(const std::string& bytes) {
  std::string text;
  for (const unsigned char byte : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", byte);
    text += digits;
  }
  return text;
}

// Golden bytes from tensorboard's own protobuf classes and RecordWriter.
TEST(TensorBoard, EncodesEventsAsProtobufDoes) {
  EXPECT_EQ(hex(encode_version(1.5)), "09000000000000f83f1a0d627261696e2e4576656e743a32");
  EXPECT_EQ(hex(encode_session_start(1.5, 300)), "09000000000000f83f10ac023a020801");
  EXPECT_EQ(hex(encode_scalars(1.5, 300, {{"loss", 0.5f}, {"lr", 2.0f}})),
            "09000000000000f83f10ac022a180a0b0a046c6f7373150000003f0a090a026c721500000040");
}

TEST(TensorBoard, FramesRecordsWithMaskedChecksums) {
  EXPECT_EQ(hex(frame_record(encode_version(1.5))),
            "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c");
}

TEST(TensorBoard, WritesAFileOfItsOwnPerWriter) {
  const TemporaryFolder folder;
  EventWriter first(folder.path());
  first.write(1, {{"loss", 0.5f}});
  EventWriter second(folder.path(), 1);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 2);
}

}  // namespace
}  // namespace conclave
