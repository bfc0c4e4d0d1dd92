#include "store/store_upkeep.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "core/error.h"
#include "store/segment_writer.h"
#include "store/target_store.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

std::string description_of(const SegmentReader& reader, const SegmentEntry& entry) {
  const auto& all = reader.descriptions();
  return entry.description < all.size() ? all[entry.description] : std::string();
}

SegmentReport look_at(const fs::path& path, Payloads payloads) {
  SegmentReport report;
  report.path = path;
  report.growing = has_writer(path);  // before the scan: what is cut off after it was asked is no fault
  try {
    SegmentReader reader(path);
    for (const SegmentEntry& entry : reader.scan()) {
      ++report.targets;
      if (payloads == Payloads::kRead && !reader.read(entry)) ++report.damaged_targets;
      StoredTargets& stored = report.by_description[description_of(reader, entry)];
      ++stored.targets;
      stored.bytes += entry.size;
    }
    report.state = reader.state();
  } catch (const Error& error) {
    report.unreadable = error.what();
  }
  return report;
}

// Segment after segment of at most about `segment_bytes`.
class RollingWriter {
 public:
  RollingWriter(fs::path folder, std::uint64_t segment_bytes) : folder_(std::move(folder)), bytes_(segment_bytes) {}

  void append(const TargetKey& key, const std::string& description, std::string_view record) {
    if (writer_ && writer_->size() >= bytes_) finish();
    if (!writer_) writer_ = std::make_unique<SegmentWriter>(folder_);
    writer_->append(key, description, record);
  }
  void finish() {
    if (writer_) writer_->sync();
    writer_.reset();
  }

 private:
  const fs::path folder_;
  const std::uint64_t bytes_;
  std::unique_ptr<SegmentWriter> writer_;
};

// Segments that are read, written anew elsewhere and then removed. Their locks keep other hands off meanwhile.
struct Replaced {
  fs::path path;
  SegmentLock lock;
};

void remove(std::vector<Replaced>& replaced, UpkeepResult& result) {
  for (const Replaced& segment : replaced) {
    fs::remove(segment.path);
    ++result.segments;
  }
  replaced.clear();
}

std::vector<fs::path> by_age(std::vector<fs::path> paths) {
  std::sort(paths.begin(), paths.end(),
            [](const fs::path& a, const fs::path& b) { return a.filename() < b.filename(); });
  return paths;
}

}  // namespace

std::string teacher_hash(const std::string& description) {
  const auto json = nlohmann::json::parse(description, nullptr, /*allow_exceptions=*/false);
  return json.is_object() && json.contains("hash") && json["hash"].is_string() ? json["hash"].get<std::string>()
                                                                               : std::string();
}

std::vector<SegmentReport> survey(const fs::path& folder, Payloads payloads) {
  std::vector<SegmentReport> reports;
  for (const fs::path& path : list_segments(folder)) reports.push_back(look_at(path, payloads));
  return reports;
}

bool cut_tail(const fs::path& path) {
  std::optional<SegmentLock> lock = SegmentLock::take(path);
  if (!lock) return false;
  SegmentReader reader(path);
  const bool any = !reader.scan().empty();
  const SegmentState& state = reader.state();
  if (state.tail() == 0 || (state.header_damaged && !any)) return false;
  if (state.whole <= segment::kFileHeaderBytes) {
    fs::remove(path);
  } else {
    lock->truncate(state.whole, path);
  }
  return true;
}

UpkeepResult merge_segments(const std::vector<fs::path>& inputs, const fs::path& out, std::uint64_t segment_bytes) {
  fs::create_directories(out);
  UpkeepResult result;
  std::vector<Replaced> replaced;
  std::vector<fs::path> paths;
  for (const fs::path& path : list_segments(out)) {
    if (std::optional<SegmentLock> lock = SegmentLock::take(path)) {
      replaced.push_back({path, std::move(*lock)});
      paths.push_back(path);
    } else {
      result.growing.push_back(path);
    }
  }
  for (const fs::path& input : inputs) {
    if (!fs::is_directory(input)) {
      paths.push_back(input);
    } else if (!fs::equivalent(input, out)) {
      for (const fs::path& path : list_segments(input)) paths.push_back(path);
    }
  }
  RollingWriter writer(out, segment_bytes);
  std::unordered_set<TargetKey, TargetKeyHash> seen;
  for (const fs::path& path : by_age(paths)) {
    SegmentReader reader(path);
    for (const SegmentEntry& entry : reader.scan()) {
      if (seen.contains(entry.key)) {
        ++result.doubles;
      } else if (const std::optional<std::string> record = reader.read(entry)) {
        writer.append(entry.key, description_of(reader, entry), *record);
        seen.insert(entry.key);
        ++result.kept;
      } else {
        ++result.damaged;
      }
    }
  }
  writer.finish();
  remove(replaced, result);
  return result;
}

UpkeepResult evict_teacher(const fs::path& folder, const std::string& hash, std::uint64_t segment_bytes) {
  if (hash.empty()) throw Error("which teacher's targets are to go?", "evict", "give (the start of) its hash");
  UpkeepResult result;
  RollingWriter writer(folder, segment_bytes);
  std::vector<Replaced> replaced;
  for (const fs::path& path : list_segments(folder)) {
    std::optional<SegmentLock> lock = SegmentLock::take(path);
    SegmentReader reader(path);
    const std::vector<SegmentEntry> entries = reader.scan();
    const auto goes = [&](const SegmentEntry& entry) {
      return teacher_hash(description_of(reader, entry)).rfind(hash, 0) == 0;
    };
    if (std::none_of(entries.begin(), entries.end(), goes)) continue;
    if (!lock) {
      result.growing.push_back(path);
      continue;
    }
    for (const SegmentEntry& entry : entries) {
      if (goes(entry)) {
        ++result.dropped;
      } else if (const std::optional<std::string> record = reader.read(entry)) {
        writer.append(entry.key, description_of(reader, entry), *record);
        ++result.kept;
      } else {
        ++result.damaged;
      }
    }
    replaced.push_back({path, std::move(*lock)});
  }
  writer.finish();
  remove(replaced, result);
  return result;
}

UpkeepResult evict_to_size(const fs::path& folder, std::uint64_t bytes) {
  UpkeepResult result;
  const std::vector<SegmentReport> reports = survey(folder, Payloads::kSkip);
  std::uint64_t total = 0;
  for (const SegmentReport& report : reports) total += report.state.size;
  for (const SegmentReport& report : reports) {
    if (total <= bytes) break;
    std::vector<Replaced> gone;
    if (!report.unreadable.empty()) continue;
    if (std::optional<SegmentLock> lock = SegmentLock::take(report.path)) {
      gone.push_back({report.path, std::move(*lock)});
      remove(gone, result);
      result.dropped += report.targets;
      total -= report.state.size;
    } else {
      result.growing.push_back(report.path);
    }
  }
  return result;
}

}  // namespace conclave
