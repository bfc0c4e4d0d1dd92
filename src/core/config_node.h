#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"

namespace conclave {

struct ConfigEntry;

// A YAML value that knows where it was written: "file:line:column" (from 1) or "command line: a.b=c".
struct ConfigNode {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  std::string place;
  std::string scalar;                // kScalar
  bool text = false;                 // kScalar: quoted, so never a number or a boolean
  std::vector<ConfigNode> items;     // kList
  std::vector<ConfigEntry> entries;  // kMap, in the order written; keys are unique

  bool is_null() const { return kind == Kind::kNull; }
  const ConfigEntry* find(std::string_view key) const;
  ConfigEntry* find(std::string_view key);
};

struct ConfigEntry {
  std::string key;
  std::string place;  // of the key
  ConfigNode value;
};

// "text 'abc'", "a list", ...: for messages.
std::string describe(const ConfigNode& node);

// Collects everything that is wrong, so that a user sees it all at once.
class ConfigErrors {
 public:
  void add(const std::string& place, const std::string& message);
  bool empty() const { return messages_.empty(); }
  void raise() const;  // throws one Error (Exit::kUsage; where = the first place) when there is any

 private:
  std::vector<std::pair<std::string, std::string>> messages_;  // place, message
};

// "; did you mean 'x'?" for the candidate that is nearest by edit distance; empty when none is near.
std::string suggestion(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace conclave
