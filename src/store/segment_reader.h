#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/segment_format.h"
#include "store/target_key.h"

namespace conclave {

// Where a target lies in its segment.
struct SegmentEntry {
  TargetKey key;
  std::uint16_t description = 0;
  std::uint32_t size = 0;    // bytes of the payload
  std::uint64_t offset = 0;  // of the payload in the file
};

// What a scan has seen of a segment.
struct SegmentState {
  std::uint64_t size = 0;                              // of the file at the last scan, bytes
  std::uint64_t whole = 0;                             // end of the last whole record
  std::uint64_t damaged = 0;                           // bytes before `whole` that belong to no readable record
  bool header_damaged = false;                         // the file's own header is not as written
  std::int64_t created = 0;                            // seconds since 1970, UTC; 0 when the header is damaged
  std::uint64_t tail() const { return size - whole; }  // cut off, or still being written
};

// Reads one segment, of a writer that may still be at work. Never serves a record whose checksums fail, and finds every
// whole one behind damage. Reads what is scanned, maps what is served; memory in proportion to the largest record.
// Not thread-safe.
class SegmentReader {
 public:
  // Throws Error for a file that can't be opened or is of another version.
  explicit SegmentReader(std::filesystem::path path);
  ~SegmentReader();
  SegmentReader(const SegmentReader&) = delete;
  SegmentReader& operator=(const SegmentReader&) = delete;

  // The targets that came since the last scan, up to the last whole record, in the order of the file. A header's
  // checksum is verified here, a payload's in read().
  std::vector<SegmentEntry> scan();

  // The payload; nothing when it is damaged.
  std::optional<std::string> read(const SegmentEntry& entry);

  // By number; empty where the description was damaged.
  const std::vector<std::string>& descriptions() const { return descriptions_; }
  const SegmentState& state() const { return state_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  struct Record;
  std::string_view at(std::uint64_t offset, std::size_t size);  // a look into the file; fewer bytes at its end
  bool read_file_header();
  std::optional<Record> record_at(std::uint64_t offset);
  bool payload_is_whole(std::uint64_t offset, const Record& record);
  std::optional<std::uint64_t> next_whole_record(std::uint64_t from);

  std::filesystem::path path_;
  int fd_ = -1;
  SegmentState state_;
  std::vector<std::string> descriptions_;

  std::string window_;  // bytes of the file from window_at_ on
  std::uint64_t window_at_ = 0;

  const char* map_ = nullptr;  // the first mapped_ bytes of the file
  std::uint64_t mapped_ = 0;
};

}  // namespace conclave
