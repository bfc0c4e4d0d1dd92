#include "core/config_document.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>

#include "core/config_parse.h"
#include "core/file.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;
using Kind = ConfigNode::Kind;

constexpr const char* kBase = "_base_";
constexpr std::size_t kMaxFiles = 100;

void merge(ConfigNode& under, ConfigNode over) {
  if (under.kind != Kind::kMap || over.kind != Kind::kMap) {
    under = std::move(over);
    return;
  }
  for (ConfigEntry& entry : over.entries) {
    ConfigEntry* old = under.find(entry.key);
    if (!old) {
      under.entries.push_back(std::move(entry));
      continue;
    }
    old->place = entry.place;
    merge(old->value, std::move(entry.value));
  }
  under.place = std::move(over.place);
}

// Loads a file and those it stands on.
class FileChain {
 public:
  explicit FileChain(ConfigErrors& errors) : errors_(errors) {}

  ConfigNode load(const fs::path& path, const std::string& asked_at) {
    const fs::path real = fs::weakly_canonical(path);
    const auto seen = std::find(open_.begin(), open_.end(), real);
    if (seen != open_.end()) {
      std::string circle;
      for (auto it = seen; it != open_.end(); ++it) circle += it->filename().string() + " -> ";
      fail("bases go in a circle: " + circle + real.filename().string(), asked_at);
    }
    if (++files_ > kMaxFiles) fail("more than " + std::to_string(kMaxFiles) + " files by _base_", asked_at);
    std::string text;
    try {
      text = read_file(path, kMaxConfigBytes);
    } catch (const Error& e) {
      throw Error(e.what(), asked_at, {}, Exit::kUsage);
    }
    open_.push_back(real);
    ConfigNode node = with_bases(parse_yaml(text, path.string(), errors_), path.parent_path());
    open_.pop_back();
    return node;
  }

  // Replaces `_base_` by what it names, under the node's own keys.
  ConfigNode with_bases(ConfigNode node, const fs::path& folder) {
    if (node.is_null()) node.kind = Kind::kMap;
    if (node.kind != Kind::kMap) fail("a configuration is a list of `key: value`, not " + describe(node), node.place);
    const auto base = std::find_if(node.entries.begin(), node.entries.end(),
                                   [](const ConfigEntry& entry) { return entry.key == kBase; });
    if (base == node.entries.end()) return node;

    const ConfigNode named = std::move(base->value);
    node.entries.erase(base);
    const std::vector<ConfigNode> paths = named.kind == Kind::kList ? named.items : std::vector<ConfigNode>{named};
    ConfigNode merged;
    merged.kind = Kind::kMap;
    for (const ConfigNode& path : paths) {
      if (path.kind != Kind::kScalar || path.scalar.empty())
        fail("_base_ must be a path or a list of paths, not " + describe(path), path.place);
      merge(merged, load((folder / path.scalar).lexically_normal(), path.place));
    }
    merge(merged, std::move(node));
    return merged;
  }

 private:
  [[noreturn]] static void fail(const std::string& what, const std::string& place) {
    throw Error(what, place, {}, Exit::kUsage);
  }

  ConfigErrors& errors_;
  std::vector<fs::path> open_;
  std::size_t files_ = 0;
};

bool is_index(const std::string& part) {
  return !part.empty() && part.size() < 7 && part.find_first_not_of("0123456789") == std::string::npos;
}

void apply_override(ConfigNode& root, const std::string& text, ConfigErrors& errors) {
  const std::string place = "command line: " + text;
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    errors.add(place, "expected key=value");
    return;
  }
  ConfigNode* at = &root;
  const std::string path = text.substr(0, equals);
  for (std::size_t begin = 0, depth = 0; begin <= path.size(); ++depth) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == kBase || depth == kMaxConfigDepth) {
      errors.add(place, "'" + path + "' is not a key");
      return;
    }
    if (at->is_null()) {
      at->kind = is_index(part) ? Kind::kList : Kind::kMap;
      at->place = place;
    }
    if (at->kind == Kind::kMap) {
      if (!at->find(part)) at->entries.push_back({part, place, {}});
      at = &at->find(part)->value;
    } else if (at->kind == Kind::kList && is_index(part)) {
      const std::size_t index = std::stoul(part);
      if (index > at->items.size()) {
        errors.add(place, "the list has only " + std::to_string(at->items.size()) + " entries");
        return;
      }
      if (index == at->items.size()) at->items.emplace_back().place = place;
      at = &at->items[index];
    } else {
      errors.add(place, "there is nothing called '" + part + "' inside " + describe(*at) + " of " + at->place);
      return;
    }
  }
  const std::string value = text.substr(equals + 1);
  ConfigNode node;
  if (value.empty()) {
    node.kind = Kind::kScalar;
    node.text = true;
    node.place = place;
  } else {
    node = parse_yaml_value(value, place, errors);
  }
  merge(*at, std::move(node));
}

// The text with ${NAME} and ${NAME:-other} replaced.
std::string expand(const std::string& text, const std::string& place, ConfigErrors& errors) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text.compare(at, 3, "$${") == 0) {
      out += "${";
      at += 3;
      continue;
    }
    if (text.compare(at, 2, "${") != 0) {
      out += text[at++];
      continue;
    }
    const std::size_t end = text.find('}', at);
    if (end == std::string::npos) {
      errors.add(place, "'${' without '}' (write $${ for the characters themselves)");
      return text;
    }
    const std::string inside = text.substr(at + 2, end - at - 2);
    const std::size_t otherwise = inside.find(":-");
    const std::string name = inside.substr(0, otherwise);
    const char* value = name.empty() ? nullptr : std::getenv(name.c_str());
    if (value && *value)
      out += value;
    else if (otherwise != std::string::npos)
      out += inside.substr(otherwise + 2);
    else if (value)
      ;
    else
      errors.add(place, "the environment variable '" + name + "' is not set");
    at = end + 1;
  }
  return out;
}

void expand_environment(ConfigNode& node, ConfigErrors& errors) {
  if (node.kind == Kind::kScalar && node.scalar.find("${") != std::string::npos) {
    const bool reference = node.scalar.find("${") != node.scalar.find("$${") + 1;
    node.scalar = expand(node.scalar, node.place, errors);
    if (reference) node.text = false;
  }
  for (ConfigNode& item : node.items) expand_environment(item, errors);
  for (ConfigEntry& entry : node.entries) expand_environment(entry.value, errors);
}

ConfigNode finish(ConfigNode root, const std::vector<std::string>& overrides, ConfigErrors& errors) {
  for (const std::string& text : overrides) apply_override(root, text, errors);
  expand_environment(root, errors);
  return root;
}

}  // namespace

ConfigNode load_config(const std::string& path, const std::vector<std::string>& overrides, ConfigErrors& errors) {
  return finish(FileChain(errors).load(path, "configuration"), overrides, errors);
}

ConfigNode load_config_text(const std::string& text, const std::string& name, const std::vector<std::string>& overrides,
                            ConfigErrors& errors) {
  FileChain chain(errors);
  return finish(chain.with_bases(parse_yaml(text, name, errors), fs::path(name).parent_path()), overrides, errors);
}

}  // namespace conclave
