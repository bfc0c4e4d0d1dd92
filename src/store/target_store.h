#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "store/segment_reader.h"
#include "store/segment_writer.h"
#include "store/store_options.h"

namespace conclave {

// The segments of one folder (STORE.md), with an index of all their targets in memory: some 80 bytes each. Any number
// of processes may have the same folder open, for reading and writing. Not thread-safe.
class TargetStore {
 public:
  enum class Access { kRead, kWrite };

  // Scans all segments. With kWrite the folder is made if need be; a segment of its own is begun with the first
  // append(). Files that are no readable segments are reported in the log and left alone. Throws Error when the folder
  // is not there or can't be read or written.
  TargetStore(const StoreOptions& options, Access access);

  bool contains(const TargetKey& key) const { return index_.contains(key); }

  // The record that was appended under this key, by whomever; of several the first. Nothing when there is none or all
  // are damaged: a checksum is verified on every read.
  std::optional<std::string> find(const TargetKey& key);

  // Does nothing when the key is there already. REQUIRES: kWrite. Throws Error when it can't be written.
  void append(const TargetKey& key, const std::string& description, std::string_view record);

  void sync();     // what was appended outlives a power cut from here on
  void refresh();  // finds what other processes have appended since

  std::size_t targets() const { return index_.size(); }
  const std::filesystem::path& folder() const { return folder_; }
  std::uint64_t bytes() const;                    // of all segments
  std::vector<std::string> descriptions() const;  // of all segments, each once, sorted

 private:
  struct Segment {
    std::unique_ptr<SegmentReader> reader;
    std::uint64_t written = 0;  // > 0: by this store, which knows what is in it
  };
  struct Location {
    std::uint32_t segment = 0;  // position in segments_
    std::uint32_t size = 0;
    std::uint64_t offset = 0;
  };
  void add(std::uint32_t segment, const SegmentEntry& entry);
  void scan(std::uint32_t segment);

  const std::filesystem::path folder_;
  const StoreOptions options_;
  const Access access_;
  std::vector<Segment> segments_;
  std::unordered_set<std::string> names_;  // of the files in segments_, and of those that can't be read
  std::unordered_map<TargetKey, Location, TargetKeyHash> index_;
  std::unordered_multimap<TargetKey, Location, TargetKeyHash> copies_;  // further ones of what index_ has
  std::unique_ptr<SegmentWriter> writer_;
  std::uint32_t own_ = 0;               // the writer's segment, while there is one
  std::set<std::string> descriptions_;  // that this store has written
};

// The segment files of a folder, oldest name first. Throws Error when it is no folder.
std::vector<std::filesystem::path> list_segments(const std::filesystem::path& folder);

}  // namespace conclave
