#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"

namespace conclave {

// Where a value was written: a file's line and column (from 1), or the command line.
struct ConfigPlace {
  std::string file;
  int line = 0, column = 0;

  std::string text() const;  // "run.yaml:3:7", "command line: training.lr=1"
};

// Everything that is wrong with a configuration, reported at once.
class ConfigErrors {
 public:
  void add(const ConfigPlace& place, const std::string& what) { messages_.push_back(place.text() + ": " + what); }
  bool empty() const { return messages_.empty(); }
  // Throws Error (Exit::kUsage) with one line per message when there is any. `hint`: where the keys are listed.
  void check(const std::string& hint = "conclave config --reference lists every key") const;

 private:
  std::vector<std::string> messages_;
};

struct ConfigEntry;

// A YAML value with its place. Text is kept as written; the table that reads it decides what it means.
struct ConfigNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  std::string scalar;                // kScalar
  std::vector<ConfigNode> items;     // kList
  std::vector<ConfigEntry> entries;  // kMap, in the order written
  ConfigPlace place;

  const ConfigEntry* find(const std::string& key) const;  // nullptr: absent
};

struct ConfigEntry {
  std::string key;
  ConfigPlace place;  // of the key
  ConfigNode value;
};

// Reads a YAML file with everything that it is based on (`_base_`: a path or a list of paths, relative to the file),
// the overrides "a.b=c" (c is YAML; list positions are numbers) applied last. Maps merge key by key, anything else is
// replaced. ${NAME} and ${NAME:-default} in values are replaced from the environment. Duplicate keys, cycles, unset
// variables and malformed overrides go to `errors`; a file that is not YAML at all throws Error.
// Bounded: 100 files of 1 MB, 32 levels, 100,000 values (aliases counted).
ConfigNode load_config(const std::filesystem::path& path, const std::vector<std::string>& overrides,
                       ConfigErrors& errors);

// One YAML text; `file` names it in places.
ConfigNode parse_config(const std::string& text, const std::string& file, ConfigErrors& errors);

}  // namespace conclave
