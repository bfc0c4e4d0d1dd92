#include "core/config_node.h"

#include <algorithm>
#include <numeric>

namespace conclave {
namespace {

constexpr std::size_t kShown = 50;  // messages in one Error

// Edits (insert, delete, replace, swap of neighbours) from one word to the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    next[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      next[j] = std::min({row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] != b[j - 1] ? 1u : 0u)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) next[j] = std::min(next[j], before[j - 2] + 1);
    }
    before = row;
    row.swap(next);
  }
  return row.back();
}

}  // namespace

const ConfigEntry* ConfigNode::find(std::string_view key) const {
  for (const ConfigEntry& entry : entries)
    if (entry.key == key) return &entry;
  return nullptr;
}

ConfigEntry* ConfigNode::find(std::string_view key) {
  return const_cast<ConfigEntry*>(std::as_const(*this).find(key));
}

std::string describe(const ConfigNode& node) {
  switch (node.kind) {
    case ConfigNode::Kind::kNull: return "nothing";
    case ConfigNode::Kind::kList: return "a list";
    case ConfigNode::Kind::kMap: return "a section";
    case ConfigNode::Kind::kScalar: break;
  }
  const std::string shown = node.scalar.size() > 60 ? node.scalar.substr(0, 60) + "..." : node.scalar;
  return (node.text ? "the text '" : "'") + shown + "'";
}

void ConfigErrors::add(const std::string& place, const std::string& message) { messages_.emplace_back(place, message); }

void ConfigErrors::raise() const {
  if (messages_.empty()) return;
  if (messages_.size() == 1) throw Error(messages_[0].second, messages_[0].first, {}, Exit::kUsage);
  std::string text = messages_[0].second;
  for (std::size_t i = 1; i < std::min(messages_.size(), kShown); ++i)
    text += "\n" + messages_[i].first + ": " + messages_[i].second;
  if (messages_.size() > kShown) text += "\n... and " + std::to_string(messages_.size() - kShown) + " more";
  throw Error(text, messages_[0].first, std::to_string(messages_.size()) + " errors in the configuration", Exit::kUsage);
}

std::string suggestion(std::string_view name, const std::vector<std::string>& candidates) {
  if (name.size() > 64) return {};
  const std::string* nearest = nullptr;
  std::size_t least = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < least) nearest = &candidate, least = distance;
  }
  return nearest ? "; did you mean '" + *nearest + "'?" : "";
}

}  // namespace conclave
