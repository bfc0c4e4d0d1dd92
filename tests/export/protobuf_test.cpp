#include "export/protobuf.h"

#include <gtest/gtest.h>

namespace conclave {
namespace {

std::string bytes(std::initializer_list<int> values) {
  return {values.begin(), values.end()};
}

// The examples of protobuf.dev/programming-guides/encoding.
TEST(ProtoMessage, WritesTheExamplesOfTheSpecification) {
  EXPECT_EQ(ProtoMessage().integer(1, 150).text(), bytes({0x08, 0x96, 0x01}));
  EXPECT_EQ(ProtoMessage().bytes(2, "testing").text(), bytes({0x12, 0x07}) + "testing");
  EXPECT_EQ(ProtoMessage().message(3, ProtoMessage().integer(1, 150)).text(), bytes({0x1a, 0x03, 0x08, 0x96, 0x01}));
  const std::int64_t values[] = {3, 270, 86942};
  EXPECT_EQ(ProtoMessage().integers(6, values).text(), bytes({0x32, 0x06, 0x03, 0x8E, 0x02, 0x9E, 0xA7, 0x05}));
}

TEST(ProtoMessage, WritesNegativeNumbersInTenBytesAndFloatsInFour) {
  EXPECT_EQ(ProtoMessage().integer(1, -1).text(),
            bytes({0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}));
  EXPECT_EQ(ProtoMessage().real(2, 1.0F).text(), bytes({0x15, 0x00, 0x00, 0x80, 0x3f}));
  EXPECT_EQ(ProtoMessage().integer(100, 1).text(), bytes({0xa0, 0x06, 0x01}));
}

}  // namespace
}  // namespace conclave
