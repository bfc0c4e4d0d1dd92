#include "cli/compare_names.h"

#include <cstdlib>

namespace conclave {
namespace {

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

}  // namespace

std::string Names::fill(const std::string& text) const {
  return replaced(replaced(text, "{run}", run), "{seed}", seed);
}

Environment Names::fill(const Environment& environment) const {
  Environment filled;
  for (const auto& [name, value] : environment) filled.emplace_back(name, fill(value));
  return filled;
}

std::vector<std::string> Names::fill(const std::vector<PlacedOverride>& overrides) const {
  std::vector<std::string> filled;
  for (const PlacedOverride& each : overrides) filled.push_back(fill(each.text));
  return filled;
}

ScopedEnvironment::ScopedEnvironment(const Environment& variables) {
  for (const auto& [name, value] : variables) {
    const char* old = std::getenv(name.c_str());
    before_.emplace_back(name, old == nullptr ? std::nullopt : std::optional<std::string>(old));
    ::setenv(name.c_str(), value.c_str(), 1);
  }
}

ScopedEnvironment::~ScopedEnvironment() {
  for (auto it = before_.rbegin(); it != before_.rend(); ++it) {
    if (it->second) {
      ::setenv(it->first.c_str(), it->second->c_str(), 1);
    } else {
      ::unsetenv(it->first.c_str());
    }
  }
}

std::string with_places(std::string text, const std::vector<PlacedOverride>& set, const Names& names) {
  text = text.substr(0, text.find("\n  hint:"));
  for (const PlacedOverride& each : set)
    text = replaced(text, "command line: " + names.fill(each.text), each.place.text());
  return replaced(text, "\n", "\n  ");
}

}  // namespace conclave
