#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/file.h"
#include "core/random.h"
#include "store/target_store.h"
#include "support/temporary_folder.h"

namespace conclave {

// The n-th key and record of a writer; whoever knows both numbers can tell whether a record is whole.
inline TargetKey numbered_key(std::uint64_t writer, std::uint64_t n) {
  TargetKey key;
  for (std::size_t i = 0; i < 8; ++i) {
    key.bytes[i] = static_cast<std::uint8_t>(mix(writer, n) >> (8 * i));
    key.bytes[8 + i] = static_cast<std::uint8_t>((writer << 32 | n) >> (8 * i));
  }
  return key;
}

inline std::string numbered_record(std::uint64_t writer, std::uint64_t n, std::uint32_t most = 3000) {
  CounterRandom random(mix(writer, n));
  std::string record(random.below(most), '\0');
  for (char& byte : record) byte = static_cast<char>(random.next());
  return record;
}

class StoreFolder {
 public:
  StoreOptions options() const {
    StoreOptions options;
    options.folder = folder_.path().string();
    return options;
  }
  TargetStore open(TargetStore::Access access = TargetStore::Access::kRead) const { return {options(), access}; }
  std::filesystem::path path() const { return folder_.path(); }
  std::filesystem::path only_segment() const { return list_segments(folder_.path()).at(0); }

  // A segment file with these bytes.
  std::filesystem::path plant(const std::string& bytes, const std::string& name = "planted") const {
    return folder_.write(name + ".seg", bytes);
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace conclave
