#include "store/target_store.h"

#include <algorithm>
#include <system_error>

#include "core/error.h"
#include "core/log.h"

namespace conclave {

namespace fs = std::filesystem;

std::vector<fs::path> list_segments(const fs::path& folder) {
  std::error_code failed;
  std::vector<fs::path> paths;
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
    const std::string name = it->path().filename().string();
    if (name.front() != '.' && it->path().extension() == segment::kExtension) paths.push_back(it->path());
  }
  if (failed) throw Error("can't list the store's folder: " + failed.message(), folder.string());
  std::sort(paths.begin(), paths.end());
  return paths;
}

TargetStore::TargetStore(const StoreOptions& options, Access access)
    : folder_(options.folder), options_(options), access_(access) {
  if (access_ == Access::kWrite) {
    std::error_code failed;
    fs::create_directories(folder_, failed);
    if (failed) throw Error("can't make the store's folder: " + failed.message(), folder_.string());
  } else if (!fs::is_directory(folder_)) {
    throw Error("there is no such store", folder_.string(), "service.store.mode=auto makes and fills it");
  }
  refresh();
}

void TargetStore::refresh() {
  for (const fs::path& path : list_segments(folder_)) {
    if (!names_.insert(path.filename().string()).second) continue;
    try {
      segments_.push_back({std::make_unique<SegmentReader>(path)});
    } catch (const Error& error) {
      if (fs::exists(path)) log::warn("left out: {}", error.what());  // else just evicted by somebody
    }
  }
  for (std::uint32_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i].written == 0) scan(i);
  }
}

void TargetStore::scan(std::uint32_t segment) {
  SegmentReader& reader = *segments_[segment].reader;
  const std::uint64_t damaged = reader.state().damaged;
  for (const SegmentEntry& entry : reader.scan()) add(segment, entry);
  if (reader.state().damaged > damaged) {
    log::warn("{}: {} bytes are damaged and left out; `conclave store verify` says more", reader.path().string(),
              reader.state().damaged);
  }
}

void TargetStore::add(std::uint32_t segment, const SegmentEntry& entry) {
  const Location location{segment, entry.size, entry.offset};
  if (!index_.emplace(entry.key, location).second) copies_.emplace(entry.key, location);
}

std::optional<std::string> TargetStore::find(const TargetKey& key) {
  for (auto found = index_.find(key); found != index_.end(); found = index_.find(key)) {
    const Location location = found->second;
    SegmentReader& segment = *segments_[location.segment].reader;
    if (auto record = segment.read({key, 0, location.size, location.offset})) return record;
    log::warn("{}: the record at byte {} is damaged", segment.path().string(), location.offset);
    index_.erase(found);
    if (const auto copy = copies_.find(key); copy != copies_.end()) {
      index_.emplace(key, copy->second);
      copies_.erase(copy);
    }
  }
  return std::nullopt;
}

void TargetStore::append(const TargetKey& key, const std::string& description, std::string_view record) {
  if (access_ != Access::kWrite) throw Error("the store was opened for reading", folder_.string());
  if (contains(key)) return;
  if (writer_ && writer_->size() >= options_.segment_bytes) writer_.reset();
  if (!writer_) {
    auto writer = std::make_unique<SegmentWriter>(folder_);
    segments_.push_back({std::make_unique<SegmentReader>(writer->path()), writer->size()});
    own_ = static_cast<std::uint32_t>(segments_.size() - 1);
    names_.insert(writer->path().filename().string());
    writer_ = std::move(writer);
  }
  add(own_, writer_->append(key, description, record));
  segments_[own_].written = writer_->size();
  descriptions_.insert(description);
  if (writer_->unsynced() >= options_.sync_bytes) writer_->sync();
}

void TargetStore::sync() {
  if (writer_) writer_->sync();
}

std::uint64_t TargetStore::bytes() const {
  std::uint64_t total = 0;
  for (const Segment& segment : segments_) total += std::max(segment.written, segment.reader->state().size);
  return total;
}

std::vector<std::string> TargetStore::descriptions() const {
  std::set<std::string> all = descriptions_;
  for (const Segment& segment : segments_) {
    for (const std::string& text : segment.reader->descriptions()) {
      if (!text.empty()) all.insert(text);
    }
  }
  return {all.begin(), all.end()};
}

}  // namespace conclave
