#include "store/store_upkeep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "store/store_folder.h"

namespace conclave {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

std::string description(const std::string& hash) {
  return describe({"name", hash, {"C"}, {}}, {}, {});
}

// Appends records [from, to) of `writer` in a segment of its own.
std::filesystem::path append(const std::filesystem::path& folder, std::uint64_t writer, std::uint64_t from,
                             std::uint64_t to, const std::string& hash = "aaaa") {
  SegmentWriter segment(folder);
  for (std::uint64_t n = from; n < to; ++n) {
    segment.append(numbered_key(writer, n), description(hash), numbered_record(writer, n));
  }
  return segment.path();
}

void expect_whole(const std::filesystem::path& folder, std::uint64_t writer, std::uint64_t from, std::uint64_t to) {
  StoreOptions options;
  options.folder = folder.string();
  TargetStore store(options, TargetStore::Access::kRead);
  for (std::uint64_t n = from; n < to; ++n) {
    ASSERT_TRUE(store.find(numbered_key(writer, n)) == numbered_record(writer, n)) << writer << " " << n;
  }
}

TEST(Survey, CountsTargetsAndBytesByTeacher) {
  const StoreFolder folder;
  append(folder.path(), 1, 0, 3);
  append(folder.path(), 2, 0, 2, "bbbb");
  std::map<std::string, StoredTargets> sums;
  for (const SegmentReport& report : survey(folder.path(), Payloads::kSkip)) {
    EXPECT_EQ(report.state.size, std::filesystem::file_size(report.path));
    EXPECT_FALSE(report.growing || report.cut());
    for (const auto& [text, stored] : report.by_description) {
      sums[teacher_hash(text)].targets += stored.targets;
      sums[teacher_hash(text)].bytes += stored.bytes;
    }
  }
  const auto size = [](std::uint64_t writer, std::uint64_t n) { return numbered_record(writer, n).size(); };
  EXPECT_EQ(sums["aaaa"].targets, 3u);
  EXPECT_EQ(sums["aaaa"].bytes, size(1, 0) + size(1, 1) + size(1, 2));
  EXPECT_EQ(sums["bbbb"].bytes, size(2, 0) + size(2, 1));
}

TEST(Survey, TellsATailThatIsBeingWrittenFromOneThatIsCut) {
  const StoreFolder folder;
  SegmentWriter writer(folder.path());
  writer.append(numbered_key(1, 0), description("aaaa"), "x");
  std::ofstream(writer.path(), std::ios::binary | std::ios::app) << "half a rec";
  const SegmentReport growing = survey(folder.path(), Payloads::kRead).at(0);
  EXPECT_TRUE(growing.growing);
  EXPECT_FALSE(growing.cut());
  EXPECT_EQ(growing.state.tail(), 10u);
  EXPECT_FALSE(cut_tail(writer.path()));
  EXPECT_EQ(survey(folder.path(), Payloads::kRead).at(0).state.tail(), 10u);
}

TEST(CutTail, LeavesAllWholeRecordsWhereverTheCutIs) {
  const StoreFolder folder;
  const std::string whole = read_file(append(folder.path(), 1, 0, 3));
  const StoreFolder cut;
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    SCOPED_TRACE(size);
    const std::filesystem::path path = cut.plant(whole.substr(0, size));
    const std::size_t before = cut.open().targets();
    const bool torn = survey(cut.path(), Payloads::kRead).at(0).cut();
    EXPECT_EQ(cut_tail(path), torn);
    EXPECT_EQ(cut.open().targets(), before);
    EXPECT_FALSE(std::filesystem::exists(path) && survey(cut.path(), Payloads::kRead).at(0).cut());
    expect_whole(cut.path(), 1, 0, before);
  }
}

TEST(CutTail, DoesNotTouchWhatMayBeNoSegment) {
  const StoreFolder folder;
  const std::string notes(1000, 'n');
  const std::filesystem::path path = folder.plant(notes);
  EXPECT_FALSE(cut_tail(path));
  EXPECT_EQ(read_file(path), notes);
}

TEST(Merge, WritesEveryTargetOnceAndLeavesItsInputs) {
  const StoreFolder a, b, out;
  append(a.path(), 1, 0, 10);
  append(a.path(), 1, 5, 15, "bbbb");
  const std::filesystem::path file = append(b.path(), 2, 0, 10);
  append(b.path(), 3, 0, 10);
  append(out.path(), 1, 12, 20);
  const UpkeepResult result = merge_segments({a.path(), file}, out.path(), kMiB);
  EXPECT_EQ(result.kept, 30u);
  EXPECT_EQ(result.doubles, 8u);
  EXPECT_EQ(result.segments, 1u);
  EXPECT_EQ(list_segments(out.path()).size(), 1u);
  EXPECT_EQ(list_segments(a.path()).size(), 2u);
  EXPECT_EQ(out.open().targets(), 30u);
  expect_whole(out.path(), 1, 0, 20);
  expect_whole(out.path(), 2, 0, 10);
  EXPECT_EQ(out.open().descriptions().size(), 2u);
}

TEST(Merge, OfAFolderWithItselfJoinsItsSegments) {
  const StoreFolder folder;
  for (std::uint64_t i = 0; i < 5; ++i) append(folder.path(), 1, 3 * i, 3 * i + 5);
  const UpkeepResult result = merge_segments({folder.path()}, folder.path(), kMiB);
  EXPECT_EQ(result.segments, 5u);
  EXPECT_EQ(result.kept, 17u);
  EXPECT_EQ(list_segments(folder.path()).size(), 1u);
  expect_whole(folder.path(), 1, 0, 17);
}

TEST(Merge, TakesAnotherCopyOfADamagedTarget) {
  const StoreFolder folder;
  const std::filesystem::path first = append(folder.path(), 1, 0, 2);
  const std::filesystem::path second = append(folder.path(), 1, 0, 2);
  const std::filesystem::path damaged = std::min(first, second);
  std::string bytes = read_file(damaged);
  bytes[bytes.size() - 6] = static_cast<char>(bytes[bytes.size() - 6] ^ 1);
  std::ofstream(damaged, std::ios::binary) << bytes;
  const UpkeepResult result = merge_segments({}, folder.path(), kMiB);
  EXPECT_EQ(result.kept, 2u);
  EXPECT_EQ(result.damaged, 1u);
  EXPECT_EQ(result.doubles, 1u);
  expect_whole(folder.path(), 1, 0, 2);
}

TEST(Merge, ReadsASegmentThatStillGrowsAndLeavesIt) {
  const StoreFolder folder;
  append(folder.path(), 1, 0, 5);
  SegmentWriter writer(folder.path());
  writer.append(numbered_key(1, 5), description("aaaa"), numbered_record(1, 5));
  const UpkeepResult result = merge_segments({}, folder.path(), kMiB);
  EXPECT_THAT(result.growing, ElementsAre(writer.path()));
  EXPECT_EQ(result.kept, 5u);
  writer.append(numbered_key(1, 6), description("aaaa"), numbered_record(1, 6));
  expect_whole(folder.path(), 1, 0, 7);
}

TEST(Evict, RemovesATeachersTargetsAndNoOthers) {
  const StoreFolder folder;
  append(folder.path(), 1, 0, 5, "aaaa");
  append(folder.path(), 2, 0, 5, "abbb");
  {
    SegmentWriter both(folder.path());
    both.append(numbered_key(1, 5), description("aaaa"), numbered_record(1, 5));
    both.append(numbered_key(2, 5), description("abbb"), numbered_record(2, 5));
  }
  const UpkeepResult result = evict_teacher(folder.path(), "ab", kMiB);
  EXPECT_EQ(result.dropped, 6u);
  EXPECT_EQ(result.kept, 1u);
  EXPECT_EQ(result.segments, 2u);
  EXPECT_EQ(folder.open().targets(), 6u);
  expect_whole(folder.path(), 1, 0, 6);
  EXPECT_THROW(evict_teacher(folder.path(), "", kMiB), Error);
}

TEST(Evict, ToASizeRemovesTheOldestSegments) {
  const StoreFolder folder;
  std::vector<std::uint64_t> sizes;
  for (std::uint64_t i = 0; i < 4; ++i) {  // names that sort by age, as a second apart
    const std::filesystem::path path = append(folder.path(), 1, 10 * i, 10 * i + 10);
    const std::filesystem::path aged = folder.path() / ("2026010" + std::to_string(i) + "-000000-0.seg");
    std::filesystem::rename(path, aged);
    sizes.push_back(std::filesystem::file_size(aged));
  }
  EXPECT_EQ(evict_to_size(folder.path(), kMiB).segments, 0u);
  const UpkeepResult result = evict_to_size(folder.path(), sizes[2] + sizes[3]);
  EXPECT_EQ(result.segments, 2u);
  EXPECT_EQ(result.dropped, 20u);
  expect_whole(folder.path(), 1, 20, 40);
  EXPECT_EQ(evict_to_size(folder.path(), 0).segments, 2u);
  EXPECT_EQ(folder.open().targets(), 0u);
}

TEST(Evict, LeavesASegmentThatStillGrows) {
  const StoreFolder folder;
  SegmentWriter writer(folder.path());
  writer.append(numbered_key(1, 0), description("aaaa"), numbered_record(1, 0));
  EXPECT_THAT(evict_to_size(folder.path(), 0).growing, ElementsAre(writer.path()));
  EXPECT_THAT(evict_teacher(folder.path(), "aaaa", kMiB).growing, ElementsAre(writer.path()));
  expect_whole(folder.path(), 1, 0, 1);
}

}  // namespace
}  // namespace conclave
