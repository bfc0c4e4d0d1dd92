#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>

#include "core/error.h"
#include "core/hash.h"
#include "store/segment_reader.h"
#include "store/segment_writer.h"
#include "store/store_folder.h"

namespace conclave {
namespace {

using testing::ElementsAre;

// What a reader makes of a segment: each target as "NUMBER:DESCRIPTION" when its record is right, "?" when it is not.
class Segment : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kWriter = 7;

  // `count` records of up to `most` bytes; every third of another teacher.
  std::filesystem::path write(int count, std::uint32_t most = 40) const {
    SegmentWriter writer(folder_.path());
    for (int i = 0; i < count; ++i) {
      const auto n = static_cast<std::uint64_t>(i);
      writer.append(numbered_key(kWriter, n), i % 3 == 2 ? "cars" : "people", numbered_record(kWriter, n, most));
    }
    return writer.path();
  }

  std::vector<std::string> served(SegmentReader& reader, std::uint32_t most = 40) const {
    std::vector<std::string> texts;
    for (const SegmentEntry& entry : reader.scan()) {
      const std::optional<std::string> record = reader.read(entry);
      if (!record) continue;
      std::string text = "?";
      for (std::uint64_t n = 0; n < 100; ++n) {
        if (entry.key == numbered_key(kWriter, n) && *record == numbered_record(kWriter, n, most))
          text = std::to_string(n);
      }
      const auto& known = reader.descriptions();
      texts.push_back(text + ":" + (entry.description < known.size() ? known[entry.description] : ""));
    }
    return texts;
  }
  std::vector<std::string> served(const std::string& bytes) const {
    SegmentReader reader(folder_.plant(bytes));
    return served(reader);
  }

  StoreFolder folder_;
};

TEST_F(Segment, ReadsBackWhatWasWritten) {
  SegmentReader reader(write(5));
  EXPECT_THAT(served(reader), ElementsAre("0:people", "1:people", "2:cars", "3:people", "4:people"));
  EXPECT_EQ(reader.state().tail(), 0u);
  EXPECT_EQ(reader.state().damaged, 0u);
  EXPECT_FALSE(reader.state().header_damaged);
  EXPECT_GT(reader.state().created, 1600000000);
}

TEST_F(Segment, HoldsRecordsFromNothingToManyWindowsLong) {
  SegmentWriter writer(folder_.path());
  std::vector<std::string> records;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{65536}, std::size_t{1000000}, std::size_t{7}}) {
    records.push_back(std::string(size, static_cast<char>('a' + records.size())));
    writer.append(numbered_key(1, records.size()), "d", records.back());
  }
  SegmentReader reader(writer.path());
  std::vector<std::string> read;
  for (const SegmentEntry& entry : reader.scan()) read.push_back(reader.read(entry).value());
  EXPECT_TRUE(read == records);
}

TEST_F(Segment, RefusesARecordThatIsTooLargeAndGoesOn) {
  SegmentWriter writer(folder_.path());
  EXPECT_THROW(writer.append({}, "d", std::string(std::size_t{segment::kMaxPayload} + 1, 'x')), Error);
  writer.append(numbered_key(kWriter, 0), "d", numbered_record(kWriter, 0, 40));
  SegmentReader reader(writer.path());
  EXPECT_THAT(served(reader), ElementsAre("0:d"));
}

TEST_F(Segment, IsReadWhileItGrows) {
  SegmentWriter writer(folder_.path());
  SegmentReader reader(writer.path());
  EXPECT_TRUE(reader.scan().empty());
  std::vector<SegmentEntry> all;
  for (std::uint64_t n = 0; n < 50; ++n) {
    writer.append(numbered_key(kWriter, n), "d", numbered_record(kWriter, n));
    if (n % 7 == 0) {
      for (const SegmentEntry& entry : reader.scan()) all.push_back(entry);
      ASSERT_EQ(all.size(), n + 1);
    }
  }
  for (const SegmentEntry& entry : reader.scan()) all.push_back(entry);
  for (std::uint64_t n = 0; n < 50; ++n) EXPECT_TRUE(reader.read(all.at(n)) == numbered_record(kWriter, n));
}

TEST_F(Segment, CutAtAnyByteServesTheWholeRecordsBeforeTheCut) {
  const std::filesystem::path path = write(5);
  const std::string whole = read_file(path);
  SegmentReader complete(path);
  const std::vector<SegmentEntry> entries = complete.scan();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    SegmentReader reader(folder_.plant(whole.substr(0, size)));
    const std::vector<std::string> texts = served(reader);
    std::size_t expected = 0;
    while (expected < entries.size() && entries[expected].offset + entries[expected].size + 4 <= size) ++expected;
    ASSERT_EQ(texts.size(), expected);
    for (std::size_t n = 0; n < expected; ++n) ASSERT_EQ(texts[n], std::to_string(n) + (n == 2 ? ":cars" : ":people"));
    ASSERT_EQ(reader.state().whole + reader.state().tail(), size);
    ASSERT_EQ(reader.state().damaged, 0u);
  }
}

TEST_F(Segment, TakesUpWhereATornTailIsCompletedLater) {
  const std::string whole = read_file(write(5));
  for (std::size_t size = 0; size < whole.size(); size += 3) {
    SCOPED_TRACE(size);
    const std::filesystem::path path = folder_.plant(whole.substr(0, size));
    SegmentReader reader(path);
    const std::size_t before = served(reader).size();
    std::ofstream(path, std::ios::binary | std::ios::app) << whole.substr(size);
    ASSERT_EQ(before + served(reader).size(), 5u);
    ASSERT_EQ(reader.state().tail(), 0u);
  }
}

TEST_F(Segment, AFlippedBitCostsAtMostTheRecordThatItIsIn) {
  const std::filesystem::path path = write(6);
  const std::string whole = read_file(path);
  SegmentReader complete(path);
  const std::vector<SegmentEntry> entries = complete.scan();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      SCOPED_TRACE(std::to_string(at) + "." + std::to_string(bit));
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      SegmentReader reader(folder_.plant(damaged));
      std::vector<std::string> numbers;
      for (const std::string& text : served(reader)) numbers.push_back(text.substr(0, text.find(':')));
      std::vector<std::string> expected;
      for (std::size_t n = 0; n < entries.size(); ++n) {
        const std::uint64_t begin = entries[n].offset - segment::kRecordHeaderBytes;
        if (at < begin || at >= entries[n].offset + entries[n].size + 4) expected.push_back(std::to_string(n));
      }
      ASSERT_EQ(numbers, expected);
      ASSERT_EQ(reader.state().header_damaged, at < segment::kFileHeaderBytes);
    }
  }
}

TEST_F(Segment, FindsWhatFollowsAHoleOfZeros) {
  const std::string whole = read_file(write(4));
  for (const std::size_t from : {std::size_t{20}, std::size_t{25}, whole.size() / 2}) {
    std::string holed = whole.substr(0, from) + std::string(5000, '\0') + whole.substr(from);
    const auto texts = served(holed);
    EXPECT_GE(texts.size(), 3u);
    EXPECT_EQ(texts.back().substr(0, 2), "3:");
  }
  EXPECT_EQ(served(whole + std::string(5000, '\0')).size(), 4u);
}

TEST_F(Segment, OfAnotherVersionIsRefused) {
  // As the first version would write it, but for the number.
  std::string header = read_file(write(1)).substr(0, 16);
  header[4] = 2;
  const std::uint32_t sum = crc32c(std::as_bytes(std::span(header)));
  for (int i = 0; i < 4; ++i) header += static_cast<char>(sum >> (8 * i));
  try {
    SegmentReader reader(folder_.plant(header));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("version 2"));
  }
}

TEST_F(Segment, ServesNothingOfAFileThatIsNoSegment) {
  EXPECT_TRUE(served("").empty());
  EXPECT_TRUE(served("hello\n").empty());
  EXPECT_TRUE(served(std::string(100000, 'x')).empty());
  EXPECT_THROW(SegmentReader(folder_.path()), Error);
  EXPECT_THROW(SegmentReader(folder_.path() / "absent.seg"), Error);
}

TEST_F(Segment, KnowsWhetherItsWriterLives) {
  auto writer = std::make_unique<SegmentWriter>(folder_.path());
  const std::filesystem::path path = writer->path();
  EXPECT_TRUE(has_writer(path));
  EXPECT_FALSE(SegmentLock::take(path).has_value());
  writer.reset();
  EXPECT_FALSE(has_writer(path));
  EXPECT_TRUE(SegmentLock::take(path).has_value());
}

TEST_F(Segment, WritersNeverShareAFile) {
  SegmentWriter a(folder_.path()), b(folder_.path());
  EXPECT_NE(a.path(), b.path());
  EXPECT_EQ(list_segments(folder_.path()).size(), 2u);
}

}  // namespace
}  // namespace conclave
