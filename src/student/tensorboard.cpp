#include "student/tensorboard.h"

#include <unistd.h>

#include <bit>
#include <chrono>
#include <cstring>
#include <span>

#include "core/error.h"
#include "core/hash.h"
#include "core/log.h"

namespace conclave {
namespace {

static_assert(std::endian::native == std::endian::little, "records are written as they lie in memory");

// Field numbers of Event, Summary, Summary.Value and SessionLog.
enum EventField { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7 };
enum SummaryField { kValue = 1 };
enum ValueField { kTag = 1, kSimpleValue = 2 };
enum SessionLogField { kStatus = 1 };
constexpr std::uint64_t kSessionStart = 1;

enum WireType { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>((value & 0x7f) | 0x80));
  out.push_back(static_cast<char>(value));
}

void put_key(std::string& out, int field, WireType type) {
  put_varint(out, static_cast<std::uint64_t>(field) << 3 | type);
}

template <class T>
void put_raw(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

void put_bytes(std::string& out, int field, const std::string& bytes) {
  put_key(out, field, kBytes);
  put_varint(out, bytes.size());
  out += bytes;
}

std::string event_at(double wall_time, std::optional<std::int64_t> step) {
  std::string event;
  put_key(event, kWallTime, kFixed64);
  put_raw(event, wall_time);
  if (step) {
    put_key(event, kStep, kVarint);
    put_varint(event, static_cast<std::uint64_t>(*step));
  }
  return event;
}

std::uint32_t masked_crc(const std::string& bytes) {
  const std::uint32_t crc = crc32c(std::as_bytes(std::span(bytes)));
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Unique in the folder, and in the order of time when sorted, as TensorBoard reads them.
std::filesystem::path new_event_file(const std::filesystem::path& folder) {
  char host[256] = "host";
  ::gethostname(host, sizeof host - 1);
  const std::string base = "events.out.tfevents." + std::to_string(static_cast<long long>(now())) + "." + host + "." +
                           std::to_string(::getpid()) + ".";
  for (int i = 0;; ++i) {
    const std::filesystem::path path = folder / (base + std::to_string(i));
    if (!std::filesystem::exists(path)) return path;
  }
}

}  // namespace

std::string encode_version(double wall_time) {
  std::string event = event_at(wall_time, std::nullopt);
  put_bytes(event, kFileVersion, "brain.Event:2");
  return event;
}

std::string encode_session_start(double wall_time, std::int64_t step) {
  std::string session;
  put_key(session, kStatus, kVarint);
  put_varint(session, kSessionStart);
  std::string event = event_at(wall_time, step);
  put_bytes(event, kSessionLog, session);
  return event;
}

std::string encode_scalars(double wall_time, std::int64_t step, const Scalars& scalars) {
  std::string summary;
  for (const auto& [tag, number] : scalars) {
    std::string value;
    put_bytes(value, kTag, tag);
    put_key(value, kSimpleValue, kFixed32);
    put_raw(value, number);
    put_bytes(summary, kValue, value);
  }
  std::string event = event_at(wall_time, step);
  put_bytes(event, kSummary, summary);
  return event;
}

std::string frame_record(const std::string& bytes) {
  std::string length;
  put_raw(length, static_cast<std::uint64_t>(bytes.size()));
  std::string record = length;
  put_raw(record, masked_crc(length));
  record += bytes;
  put_raw(record, masked_crc(bytes));
  return record;
}

EventWriter::EventWriter(const std::filesystem::path& folder, std::optional<std::int64_t> resumed_at) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) throw Error("can't make the folder: " + failure.message(), folder.string());
  path_ = new_event_file(folder);
  file_.open(path_, std::ios::binary);
  if (!file_) throw Error("can't be opened for writing", path_.string());
  file_ << frame_record(encode_version(now()));
  if (resumed_at) file_ << frame_record(encode_session_start(now(), *resumed_at + 1));
  file_.flush();
}

void EventWriter::write(std::int64_t step, const Scalars& scalars) {
  file_ << frame_record(encode_scalars(now(), step, scalars));
  file_.flush();
  if (!file_ && !warned_) {
    log::warn("{}: TensorBoard events can't be written any more", path_.string());
    warned_ = true;
  }
}

}  // namespace conclave
