#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "store/segment_reader.h"

namespace conclave {

// Appends records to a segment file of its own, one write() each: what append() returned is safe from the death of this
// process, what sync() returned also from that of the machine. Holds a lock on the file (flock) while it lives, by
// which others see that the segment still grows. Not thread-safe.
class SegmentWriter {
 public:
  // Makes a new file in `folder`, whose name nobody else has or had. Throws Error when it can't.
  explicit SegmentWriter(const std::filesystem::path& folder);
  ~SegmentWriter();  // syncs; what fails there is logged

  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;

  // Throws Error (a full disk, say) and leaves the segment as it was. REQUIRES: payload of at most
  // segment::kMaxPayload bytes. A new `description` is written before its first record.
  SegmentEntry append(const TargetKey& key, const std::string& description, std::string_view payload);

  void sync();

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }          // bytes
  std::uint64_t unsynced() const { return unsynced_; }  // bytes since the last sync

 private:
  void write(std::string_view bytes);

  std::filesystem::path path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  std::uint64_t unsynced_ = 0;
  std::map<std::string, std::uint16_t> descriptions_;  // those written, and their numbers
};

// Does a living process have this segment open for writing?
bool has_writer(const std::filesystem::path& path);

// A lock on a segment that has no writer (any more), for who wants to cut or remove it. Nothing when its writer lives.
// Throws Error when the file can't be opened.
class SegmentLock {
 public:
  static std::optional<SegmentLock> take(const std::filesystem::path& path);
  SegmentLock(SegmentLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  SegmentLock& operator=(SegmentLock&&) = delete;
  ~SegmentLock();

  void truncate(std::uint64_t size, const std::filesystem::path& path);  // and sync; throws Error

 private:
  explicit SegmentLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace conclave
