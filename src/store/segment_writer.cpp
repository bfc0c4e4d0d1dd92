#include "store/segment_writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <span>

#include "core/error.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/random.h"
#include "store/segment_format.h"
#include "teachers/byte_stream.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& doing, const fs::path& path) {
  const int code = errno;
  throw Error(doing + ": " + std::strerror(code), path.string(),
              code == ENOSPC || code == EDQUOT
                  ? "free some space on this disk; `conclave store evict` makes room in a store"
                  : "");
}

std::uint32_t checksum(std::string_view bytes, std::uint32_t seed = 0) {
  return crc32c(std::as_bytes(std::span(bytes)), seed);
}

std::int64_t seconds_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

// "20260131-235959-0123456789abcdef": sorts by age, and is nobody else's.
std::string new_name(std::int64_t created) {
  const std::time_t time = created;
  std::tm utc{};
  gmtime_r(&time, &utc);
  char when[32];
  std::strftime(when, sizeof when, "%Y%m%d-%H%M%S", &utc);
  char name[64];
  std::snprintf(name, sizeof name, "%s-%016llx", when, static_cast<unsigned long long>(random_number()));
  return name;
}

std::string file_header(std::int64_t created) {
  ByteWriter out;
  out.bytes(segment::kMagic);
  out.u16(segment::kVersion);
  out.u16(0);
  out.u64(static_cast<std::uint64_t>(created));
  out.u32(checksum(out.str()));
  return out.take();
}

std::string record_bytes(segment::Kind kind, std::uint16_t description, const TargetKey& key,
                         std::string_view payload) {
  ByteWriter out;
  out.u32(static_cast<std::uint32_t>(payload.size()));
  out.u8(static_cast<std::uint8_t>(kind));
  out.u8(0);
  out.u16(description);
  out.bytes({reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size()});
  const std::uint32_t header = checksum(out.str());
  out.u32(header);
  out.bytes(payload);
  out.u32(checksum(payload, header));
  return out.take();
}

void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);  // some file systems don't support it; the file itself is safe
  ::close(fd);
}

}  // namespace

SegmentWriter::SegmentWriter(const fs::path& folder) {
  const std::int64_t created = seconds_now();
  const std::string name = new_name(created);
  path_ = folder / (name + std::string(segment::kExtension));
  // The file gets its name when it is locked and has a header: whoever sees it sees a segment that is at work.
  const fs::path aside = folder / ("." + name + ".new");
  fd_ = ::open(aside.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ < 0) fail("can't create a segment", path_);
  try {
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) fail("can't lock a new segment", path_);
    write(file_header(created));
    if (std::rename(aside.c_str(), path_.c_str()) != 0) fail("can't name a new segment", path_);
  } catch (...) {
    ::unlink(aside.c_str());
    ::close(fd_);
    throw;
  }
  sync_folder(folder);
}

SegmentWriter::~SegmentWriter() {
  if (unsynced_ > 0 && ::fdatasync(fd_) != 0) log::warn("{}: can't sync: {}", path_.string(), std::strerror(errno));
  ::close(fd_);
}

void SegmentWriter::write(std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(size_ + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int code = errno;
      if (::ftruncate(fd_, static_cast<off_t>(size_)) != 0) log::warn("{}: ends in half a record", path_.string());
      errno = code;
      fail("can't write", path_);
    }
    done += static_cast<std::size_t>(n);
  }
  size_ += bytes.size();
  unsynced_ += bytes.size();
}

SegmentEntry SegmentWriter::append(const TargetKey& key, const std::string& description, std::string_view payload) {
  if (payload.size() > segment::kMaxPayload || description.size() > segment::kMaxDescription) {
    throw Error("a record of " + std::to_string(payload.size()) + " bytes is too large for a segment", path_.string());
  }
  auto known = descriptions_.find(description);
  if (known == descriptions_.end()) {
    if (descriptions_.size() > UINT16_MAX) throw Error("too many teachers in one segment", path_.string());
    const auto number = static_cast<std::uint16_t>(descriptions_.size());
    write(record_bytes(segment::Kind::kDescription, number, {}, description));
    known = descriptions_.emplace(description, number).first;
  }
  const std::uint64_t offset = size_ + segment::kRecordHeaderBytes;
  write(record_bytes(segment::Kind::kTarget, known->second, key, payload));
  return {key, known->second, static_cast<std::uint32_t>(payload.size()), offset};
}

void SegmentWriter::sync() {
  if (unsynced_ == 0) return;
  if (::fdatasync(fd_) != 0) fail("can't sync", path_);
  unsynced_ = 0;
}

bool has_writer(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool locked = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return locked;
}

std::optional<SegmentLock> SegmentLock::take(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) fail("can't open the segment for writing", path);
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return SegmentLock(fd);
  ::close(fd);
  return std::nullopt;
}

SegmentLock::~SegmentLock() {
  if (fd_ >= 0) ::close(fd_);
}

void SegmentLock::truncate(std::uint64_t size, const fs::path& path) {
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0 || ::fsync(fd_) != 0) fail("can't cut the segment's tail", path);
}

}  // namespace conclave
