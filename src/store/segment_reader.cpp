#include "store/segment_reader.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include "core/error.h"
#include "core/hash.h"
#include "teachers/byte_stream.h"

namespace conclave {
namespace {

constexpr std::size_t kWindowBytes = std::size_t{1} << 16;
constexpr std::uint64_t kMapStep = std::uint64_t{1} << 26;  // maps ahead of the file's end, so that it seldom remaps
constexpr std::uint64_t kAround = segment::kRecordHeaderBytes + segment::kRecordTrailerBytes;

std::uint32_t checksum(std::string_view bytes, std::uint32_t seed = 0) {
  return crc32c(std::as_bytes(std::span(bytes)), seed);
}

std::uint32_t u32_at(std::string_view bytes, std::size_t offset) {
  return ByteReader(bytes.substr(offset, 4), "segment").u32();
}

}  // namespace

struct SegmentReader::Record {
  std::uint32_t size = 0;
  segment::Kind kind = segment::Kind::kTarget;
  std::uint16_t description = 0;
  TargetKey key;
  std::uint32_t checksum = 0;  // of the header
};

SegmentReader::SegmentReader(std::filesystem::path path) : path_(std::move(path)) {
  do fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  while (fd_ < 0 && errno == EINTR);
  if (fd_ < 0) {
    throw Error(std::string("can't open the segment: ") + std::strerror(errno), path_.string(),
                errno == EMFILE ? "raise `ulimit -n`, or join the segments with `conclave store merge`" : "");
  }
  struct stat info {};
  if (::fstat(fd_, &info) == 0 && S_ISREG(info.st_mode)) {
    try {
      read_file_header();
      return;
    } catch (...) {
      ::close(fd_);
      throw;
    }
  }
  ::close(fd_);
  throw Error("this is no segment file", path_.string());
}

SegmentReader::~SegmentReader() {
  if (map_ != nullptr) ::munmap(const_cast<char*>(map_), mapped_);
  ::close(fd_);
}

std::string_view SegmentReader::at(std::uint64_t offset, std::size_t size) {
  if (offset < window_at_ || offset + size > window_at_ + window_.size()) {
    window_.resize(std::max(size, kWindowBytes));
    window_at_ = offset;
    std::size_t got = 0;
    while (got < window_.size()) {
      const ssize_t n = ::pread(fd_, window_.data() + got, window_.size() - got, static_cast<off_t>(offset + got));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw Error(std::string("can't read the segment: ") + std::strerror(errno), path_.string());
      if (n == 0) break;
      got += static_cast<std::size_t>(n);
    }
    window_.resize(got);
  }
  return std::string_view(window_).substr(static_cast<std::size_t>(offset - window_at_), size);
}

bool SegmentReader::read_file_header() {
  const std::string_view header = at(0, segment::kFileHeaderBytes);
  if (header.size() < segment::kFileHeaderBytes) return false;
  ByteReader in(header, "segment");
  const bool magic = in.bytes(segment::kMagic.size()) == segment::kMagic;
  const std::uint16_t version = in.u16(), zero = in.u16();
  const std::uint64_t created = in.u64();
  state_.header_damaged = !magic || zero != 0 || in.u32() != checksum(header.substr(0, segment::kFileHeaderBytes - 4));
  if (state_.header_damaged) return false;
  if (version != segment::kVersion) {
    throw Error("a segment of version " + std::to_string(version) + ", this program reads version " +
                    std::to_string(segment::kVersion),
                path_.string());
  }
  state_.created = static_cast<std::int64_t>(created);
  return true;
}

std::optional<SegmentReader::Record> SegmentReader::record_at(std::uint64_t offset) {
  const std::string_view header = at(offset, segment::kRecordHeaderBytes);
  if (header.size() < segment::kRecordHeaderBytes || header[5] != 0) return std::nullopt;
  const auto kind = static_cast<segment::Kind>(header[4]);
  if (kind != segment::Kind::kDescription && kind != segment::Kind::kTarget) return std::nullopt;
  ByteReader in(header, "segment");
  Record record;
  record.size = in.u32();
  record.kind = kind;
  in.u16();
  record.description = in.u16();
  const std::string_view key = in.bytes(record.key.bytes.size());
  std::memcpy(record.key.bytes.data(), key.data(), key.size());
  record.checksum = in.u32();
  const std::uint32_t most = kind == segment::Kind::kTarget ? segment::kMaxPayload : segment::kMaxDescription;
  if (record.size > most || record.checksum != checksum(header.substr(0, segment::kRecordHeaderBytes - 4))) {
    return std::nullopt;
  }
  return record;
}

bool SegmentReader::payload_is_whole(std::uint64_t offset, const Record& record) {
  std::uint32_t sum = record.checksum;
  std::uint64_t next = offset + segment::kRecordHeaderBytes;
  for (std::size_t left = record.size; left > 0;) {
    const std::string_view part = at(next, std::min(left, kWindowBytes));
    if (part.empty()) return false;
    sum = checksum(part, sum);
    left -= part.size();
    next += part.size();
  }
  const std::string_view trailer = at(next, segment::kRecordTrailerBytes);
  return trailer.size() == segment::kRecordTrailerBytes && u32_at(trailer, 0) == sum;
}

std::optional<std::uint64_t> SegmentReader::next_whole_record(std::uint64_t from) {
  for (std::uint64_t offset = from; offset + kAround <= state_.size; ++offset) {
    const std::optional<Record> record = record_at(offset);
    if (record && offset + kAround + record->size <= state_.size && payload_is_whole(offset, *record)) return offset;
  }
  return std::nullopt;
}

std::vector<SegmentEntry> SegmentReader::scan() {
  std::vector<SegmentEntry> entries;
  struct stat info {};
  if (::fstat(fd_, &info) != 0)
    throw Error(std::string("can't look at the segment: ") + std::strerror(errno), path_.string());
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size == state_.size && state_.tail() == 0) return entries;
  state_.size = size;
  window_.clear();
  if (state_.whole == 0 && read_file_header()) state_.whole = segment::kFileHeaderBytes;

  while (state_.size >= state_.whole + kAround) {
    const std::uint64_t begin = state_.whole;
    const std::optional<Record> record = record_at(begin);
    if (!record) {
      const std::optional<std::uint64_t> next = next_whole_record(begin + 1);
      if (!next) break;
      state_.damaged += *next - begin;
      state_.whole = *next;
      continue;
    }
    const std::uint64_t end = begin + kAround + record->size;
    if (end > state_.size) break;
    if (record->kind == segment::Kind::kTarget) {
      entries.push_back({record->key, record->description, record->size, begin + segment::kRecordHeaderBytes});
    } else if (payload_is_whole(begin, *record)) {
      if (descriptions_.size() <= record->description) descriptions_.resize(record->description + std::size_t{1});
      descriptions_[record->description] = at(begin + segment::kRecordHeaderBytes, record->size);
    } else {
      state_.damaged += end - begin;
    }
    state_.whole = end;
  }
  window_ = {};
  return entries;
}

std::optional<std::string> SegmentReader::read(const SegmentEntry& entry) {
  const std::uint64_t end = entry.offset + entry.size + segment::kRecordTrailerBytes;
  if (end > mapped_) {
    if (map_ != nullptr) ::munmap(const_cast<char*>(map_), mapped_);
    map_ = nullptr;
    mapped_ = 0;
    struct stat info {};
    if (::fstat(fd_, &info) != 0 || static_cast<std::uint64_t>(info.st_size) < end) return std::nullopt;
    const std::uint64_t length = (end + kMapStep - 1) / kMapStep * kMapStep;
    void* map = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, fd_, 0);
    if (map == MAP_FAILED) throw Error(std::string("can't map the segment: ") + std::strerror(errno), path_.string());
    map_ = static_cast<const char*>(map);
    mapped_ = length;
  }
  const std::string_view payload(map_ + entry.offset, entry.size);
  const std::string_view header(map_ + entry.offset - segment::kRecordHeaderBytes, segment::kRecordHeaderBytes);
  const std::uint32_t seed = checksum(header.substr(0, segment::kRecordHeaderBytes - 4));
  if (seed != u32_at(header, segment::kRecordHeaderBytes - 4)) return std::nullopt;
  if (std::memcmp(header.data() + 8, entry.key.bytes.data(), entry.key.bytes.size()) != 0) return std::nullopt;
  if (checksum(payload, seed) != u32_at({map_ + end - 4, 4}, 0)) return std::nullopt;
  return std::string(payload);
}

}  // namespace conclave
