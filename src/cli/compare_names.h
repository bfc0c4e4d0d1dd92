#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/config_compare.h"

namespace conclave {

using Environment = std::vector<std::pair<std::string, std::string>>;

// What {run} and {seed} stand for.
struct Names {
  std::string run, seed;

  std::string fill(const std::string& text) const;
  Environment fill(const Environment& environment) const;
  std::vector<std::string> fill(const std::vector<PlacedOverride>& overrides) const;
};

// Variables of this process, as they were before once it ends: configurations are read with those of their run. Not
// thread-safe.
class ScopedEnvironment {
 public:
  explicit ScopedEnvironment(const Environment& variables);
  ~ScopedEnvironment();
  ScopedEnvironment(const ScopedEnvironment&) = delete;
  ScopedEnvironment& operator=(const ScopedEnvironment&) = delete;

 private:
  std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

// What is wrong with a run's configuration, told by where the comparison wrote it.
std::string with_places(std::string text, const std::vector<PlacedOverride>& set, const Names& names);

}  // namespace conclave
