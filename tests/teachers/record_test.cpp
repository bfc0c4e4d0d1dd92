#include <gtest/gtest.h>

#include <span>

#include "core/error.h"
#include "core/hash.h"
#include "teachers/byte_stream.h"
#include "teachers/random_targets.h"
#include "teachers/record_format.h"
#include "teachers/record_reader.h"
#include "teachers/record_writer.h"

namespace conclave {
namespace {

// A record with a right checksum around any body, so that what lies behind the checksum is tested too.
std::string sealed(std::string body) {
  ByteWriter out;
  out.bytes(body);
  out.u32(crc32c(std::as_bytes(std::span(body))));
  return out.take();
}

ByteWriter header(int channels, int height, int width) {
  ByteWriter out;
  out.bytes(record::kMagic);
  out.u8(record::kVersion);
  out.u8(0);
  out.u16(static_cast<std::uint16_t>(channels));
  out.u16(static_cast<std::uint16_t>(height));
  out.u16(static_cast<std::uint16_t>(width));
  return out;
}

TEST(Record, RoundTripsTargetsOfEveryDensity) {
  for (double density : {0.0, 0.003, 0.1, 0.5, 0.97, 1.0}) {
    for (int channels : {0, 1, 3}) {
      const SoftTargets targets = random_targets(7, 33, 65, channels, density);
      const std::string bytes = write_record(targets);
      EXPECT_EQ(read_record(bytes), targets) << density;
      EXPECT_EQ(write_record(read_record(bytes)), bytes);
    }
  }
}

TEST(Record, TakesThreeBytesOrLessForAnIsolatedCellAndLittleMoreThanTwoInRuns) {
  SoftTargets targets = random_targets(1, 128, 128, 1, 0);
  for (std::uint32_t cell = 0; cell < 2000; ++cell) targets.channels[0].cells.push_back(cell * 8 + (cell % 3));
  targets.channels[0].logits.assign(2000, half_from_float(-2.5f));
  EXPECT_LE(write_record(targets).size(), 2000u * 3 + 32);
  for (std::uint32_t cell = 0; cell < 2000; ++cell) targets.channels[0].cells[cell] = cell / 8 * 60 + cell % 8;
  EXPECT_LE(write_record(targets).size(), 2000u * 2 + 250u * 2 + 32);
}

TEST(Record, EveryTruncationIsAnError) {
  const std::string bytes = write_record(random_targets(3, 16, 16, 2, 0.2));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THROW(read_record(bytes.substr(0, size)), Error) << size;
  EXPECT_THROW(read_record(bytes + '\0'), Error);
}

TEST(Record, EveryFlippedBitIsAnError) {
  const std::string bytes = write_record(random_targets(4, 16, 16, 1, 0.1));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_THROW(read_record(damaged), Error) << bit;
  }
}

TEST(Record, BodiesThatLieUnderARightChecksumAreErrorsOrValid) {
  const std::string bytes = write_record(random_targets(5, 16, 16, 2, 0.15));
  const std::string body = bytes.substr(0, bytes.size() - record::kTrailerBytes);
  int accepted = 0;
  CounterRandom random(11);
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = body;
    for (std::uint32_t n = random.below(3) + 1; n > 0; --n) {
      damaged[random.below(static_cast<std::uint32_t>(body.size()))] = static_cast<char>(random.next());
    }
    if (random.chance(0.2)) damaged.resize(random.below(static_cast<std::uint32_t>(body.size())));
    damaged = sealed(damaged);
    try {
      EXPECT_EQ(write_record(read_record(damaged)), damaged);
      ++accepted;
    } catch (const Error&) {
    }
  }
  EXPECT_GT(accepted, 100);  // many bits of a logit may change
}

TEST(Record, HostileCountsAreErrorsBeforeMemoryIsTaken) {
  ByteWriter many = header(1, 2048, 2048);
  many.varint(4'000'000);  // cells
  many.varint(1);          // one run from cell 0 ...
  many.varint(3'999'998);  // ... of 4,000,000
  EXPECT_THROW(read_record(sealed(many.str())), Error);

  EXPECT_THROW(read_record(sealed(header(1024, 8, 8).str())), Error);            // channels without bytes
  EXPECT_THROW(read_record(sealed(header(0, 4096, 4096).str() + '\0')), Error);  // a grid beyond the limit
  EXPECT_THROW(read_record(sealed(header(0, 0, 8).str() + '\0')), Error);
  EXPECT_NO_THROW(read_record(sealed(header(0, 8, 8).str() + '\0')));
}

TEST(Record, PositionsOutsideTheGridOrInAnotherFormAreErrors) {
  const auto one_cell = [](std::uint32_t head) {
    ByteWriter out = header(1, 2, 4);
    out.varint(1);
    out.varint(head);
    out.u16(half_from_float(1));
    out.varint(0);
    return sealed(out.str());
  };
  EXPECT_NO_THROW(read_record(one_cell(2 * 7)));
  EXPECT_THROW(read_record(one_cell(2 * 8)), Error);
  EXPECT_THROW(read_record(one_cell(0xfffffffe)), Error);

  ByteWriter padded = header(1, 2, 4);  // the count 1 in two bytes
  padded.u8(0x81);
  padded.u8(0);
  padded.varint(2);
  padded.u16(half_from_float(1));
  padded.varint(0);
  EXPECT_THROW(read_record(sealed(padded.str())), Error);
}

TEST(Record, InfinityAndNanAreErrorsOnBothSides) {
  for (std::uint16_t bad : {0x7c00, 0xfc00, 0x7e00, 0x7c01}) {
    SoftTargets targets = random_targets(6, 4, 4, 1, 1);
    targets.channels[0].logits[3] = bad;
    EXPECT_THROW(write_record(targets), Error);
    ByteWriter out = header(1, 1, 1);
    out.varint(1);
    out.varint(0);
    out.u16(bad);
    out.varint(0);
    EXPECT_THROW(read_record(sealed(out.str())), Error);
  }
}

TEST(Record, TheWriterRefusesTargetsThatBreakTheirRules) {
  SoftTargets targets = random_targets(6, 4, 4, 1, 1);
  std::swap(targets.channels[0].cells[1], targets.channels[0].cells[2]);
  EXPECT_THROW(write_record(targets), Error);
  targets = random_targets(6, 4, 4, 1, 1);
  targets.channels[0].cells.back() = 16;
  EXPECT_THROW(write_record(targets), Error);
  targets = random_targets(6, 4, 4, 1, 1);
  targets.boxes.pop_back();
  EXPECT_THROW(write_record(targets), Error);
}

TEST(Record, AnotherVersionIsNamed) {
  std::string bytes = write_record(random_targets(1, 4, 4, 1, 0.5));
  bytes[4] = 9;
  try {
    read_record(bytes);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("version 9"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace conclave
