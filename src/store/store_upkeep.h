#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "store/segment_reader.h"

namespace conclave {

// The targets of one description (a teacher with its engine, floor and views).
struct StoredTargets {
  std::uint64_t targets = 0;
  std::uint64_t bytes = 0;  // of their records, without what a segment adds
};

// One file of a store, looked at.
struct SegmentReport {
  std::filesystem::path path;
  std::string unreadable;  // why nothing of it could be read; the rest is empty then
  SegmentState state;
  bool growing = false;  // a living process has it open for writing: its tail is no fault
  std::uint64_t targets = 0;
  std::uint64_t damaged_targets = 0;                         // of these; known when payloads were read
  std::map<std::string, StoredTargets> by_description;       // "" where the description is damaged
  bool cut() const { return !growing && state.tail() > 0; }  // a writer died in the middle of a record
};

enum class Payloads { kSkip, kRead };

// All segments of a folder, oldest first; kRead verifies every checksum. Throws Error when it is no folder.
std::vector<SegmentReport> survey(const std::filesystem::path& folder, Payloads payloads);

// Cuts the tail of a segment without a writer off; a file that holds no whole record goes altogether. Nothing that can
// be read is lost. False when the segment has a writer, no tail, or a damaged header and not one whole record (it may
// be no segment at all). Throws Error when it can't be written.
bool cut_tail(const std::filesystem::path& path);

struct UpkeepResult {
  std::uint64_t kept = 0;                      // targets written anew
  std::uint64_t doubles = 0;                   // dropped: another one of this key was kept
  std::uint64_t dropped = 0;                   // because they were asked to go
  std::uint64_t damaged = 0;                   // dropped: not readable
  std::uint64_t segments = 0;                  // removed
  std::vector<std::filesystem::path> growing;  // left as they are: they have a writer
};

// Writes every readable target of `inputs` (folders or segment files) and of `out` once into new segments of `out`,
// then removes those that `out` had. `inputs` stay as they are.
UpkeepResult merge_segments(const std::vector<std::filesystem::path>& inputs, const std::filesystem::path& out,
                            std::uint64_t segment_bytes);

// Removes the targets of the teachers whose weight hash begins with `hash`.
UpkeepResult evict_teacher(const std::filesystem::path& folder, const std::string& hash, std::uint64_t segment_bytes);

// Removes whole segments, the oldest first, until those that are left take no more than `bytes`.
UpkeepResult evict_to_size(const std::filesystem::path& folder, std::uint64_t bytes);

// The hash in a description as describe() writes it; empty when there is none.
std::string teacher_hash(const std::string& description);

}  // namespace conclave
