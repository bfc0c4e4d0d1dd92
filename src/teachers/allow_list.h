#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"

namespace conclave {

// The public keys that may connect. Files and folders are read again while it is used, so that a key is added or taken
// away without a restart. Used from one thread.
class AllowList {
 public:
  // `paths`: NAME.pub files and folders, of which every *.pub counts. Throws Error when one can't be read.
  explicit AllowList(std::vector<std::string> paths);

  // Always allowed; a process knows itself without a file.
  void add(const std::string& public_key, const std::string& name);

  // The name of the key's file without its ending, or nothing when the key is not allowed. Reads the files again when
  // the last time is over a second ago; files that can't be read then are logged once and the list stays as it was,
  // without those that are gone.
  std::optional<std::string> name_of(const std::string& public_key, TimePoint now);

  std::size_t size() const { return keys_.size(); }

 private:
  using Keys = std::map<std::string, std::string>;  // public key -> name
  Keys read(bool strict) const;

  const std::vector<std::string> paths_;
  Keys own_, keys_;
  TimePoint next_{};
  mutable bool complained_ = false;
};

}  // namespace conclave
