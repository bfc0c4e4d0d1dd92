#pragma once

#include <cstdint>
#include <string>

namespace conclave {

enum class StoreMode {
  kOff,     // no store
  kRecord,  // ask the teachers for everything and keep it
  kReplay,  // everything from the store; a missing view is an error
  kAuto     // what is there from the store; ask for the rest and keep it
};

struct StoreOptions {
  StoreMode mode = StoreMode::kOff;
  std::string folder;                                    // of the segments; shared by any number of runs
  std::uint64_t segment_bytes = std::uint64_t{1} << 28;  // a segment that has grown beyond is closed, a new one begun
  std::uint64_t sync_bytes = std::uint64_t{1} << 25;     // written between two fdatasync
};

}  // namespace conclave
