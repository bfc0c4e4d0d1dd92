#include <algorithm>
#include <cstdlib>

#include "core/config_node.h"
#include "core/file.h"

namespace conclave {
namespace {

constexpr std::size_t kLargestFile = 1'000'000;
constexpr int kMostFiles = 100;  // of one configuration: bases of bases multiply

// ${NAME} and ${NAME:-default}, replaced from the environment.
std::string expand(const std::string& text, const ConfigPlace& place, ConfigErrors& errors) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const bool opens = text.compare(i, 2, "${") == 0;
    const std::size_t end = opens ? text.find('}', i) : std::string::npos;
    if (end == std::string::npos) {
      out += text[i++];
      continue;
    }
    const std::string inside = text.substr(i + 2, end - i - 2);
    const std::size_t split = inside.find(":-");
    const std::string name = inside.substr(0, split);
    const char* value = std::getenv(name.c_str());
    if (value != nullptr && *value != '\0') {
      out += value;
    } else if (split != std::string::npos) {
      out += inside.substr(split + 2);
    } else {
      errors.add(place,
                 "the environment variable " + name + " is not set: write " + name + "=VALUE before the command");
    }
    i = end + 1;
  }
  return out;
}

void expand_all(ConfigNode& node, ConfigErrors& errors) {
  if (node.kind == ConfigNode::Kind::kScalar) node.scalar = expand(node.scalar, node.place, errors);
  for (ConfigNode& item : node.items) expand_all(item, errors);
  for (ConfigEntry& entry : node.entries) expand_all(entry.value, errors);
}

void merge(ConfigNode& into, ConfigNode from) {
  if (into.kind != ConfigNode::Kind::kMap || from.kind != ConfigNode::Kind::kMap) {
    into = std::move(from);
    return;
  }
  for (ConfigEntry& entry : from.entries) {
    ConfigEntry* old = const_cast<ConfigEntry*>(into.find(entry.key));
    if (old == nullptr) {
      into.entries.push_back(std::move(entry));
    } else {
      old->place = entry.place;
      merge(old->value, std::move(entry.value));
    }
  }
}

std::vector<const ConfigNode*> bases_of(const ConfigNode& root, ConfigErrors& errors) {
  std::vector<const ConfigNode*> bases;
  const ConfigEntry* entry = root.find("_base_");
  if (entry == nullptr) return bases;
  if (entry->value.kind == ConfigNode::Kind::kScalar) bases.push_back(&entry->value);
  for (const ConfigNode& item : entry->value.items) bases.push_back(&item);
  const bool paths = std::all_of(bases.begin(), bases.end(), [](const ConfigNode* base) {
    return base->kind == ConfigNode::Kind::kScalar && !base->scalar.empty();
  });
  if (bases.empty() || !paths) {
    errors.add(entry->value.place, "_base_ must be a path or a list of paths");
    return {};
  }
  return bases;
}

// The files of one configuration while they are read.
struct Files {
  std::vector<std::filesystem::path> open;  // from the first to the one being read
  int count = 0;
};

ConfigNode load_file(const std::filesystem::path& path, const std::string& asked_by, Files& files,
                     ConfigErrors& errors) {
  const std::filesystem::path canonical = std::filesystem::weakly_canonical(path);
  for (const std::filesystem::path& outer : files.open) {
    if (outer == canonical) throw Error("_base_ leads back to this file", asked_by, {}, Exit::kUsage);
  }
  if (++files.count > kMostFiles) {
    throw Error("a configuration may be based on at most " + std::to_string(kMostFiles) + " files", asked_by, {},
                Exit::kUsage);
  }
  std::string text;
  try {
    text = read_file(path, kLargestFile);
  } catch (const Error& error) {
    throw Error(error.what(), asked_by, {}, Exit::kUsage);
  }
  ConfigNode own = parse_config(text, path.string(), errors);
  if (own.kind == ConfigNode::Kind::kNull) own.kind = ConfigNode::Kind::kMap;  // an empty file
  if (own.kind != ConfigNode::Kind::kMap)
    throw Error("a configuration must be a map of keys", path.string(), {}, Exit::kUsage);
  files.open.push_back(canonical);
  ConfigNode merged;
  merged.kind = ConfigNode::Kind::kMap;
  merged.place = own.place;
  for (const ConfigNode* base : bases_of(own, errors)) {
    merge(merged,
          load_file(path.parent_path() / expand(base->scalar, base->place, errors), base->place.text(), files, errors));
  }
  files.open.pop_back();
  std::erase_if(own.entries, [](const ConfigEntry& entry) { return entry.key == "_base_"; });
  merge(merged, std::move(own));
  return merged;
}

// Sets one value; makes the maps on the way. Lists must exist: positions are numbers.
void apply(ConfigNode& root, const std::string& override_text, ConfigErrors& errors) {
  const ConfigPlace place{"command line: " + override_text, 0, 0};
  const std::size_t equals = override_text.find('=');
  const std::string keys = "." + override_text.substr(0, equals) + ".";
  if (equals == std::string::npos || keys.find("..") != std::string::npos) {
    errors.add(place, "an override reads key=value");
    return;
  }
  ConfigNode value = parse_config(override_text.substr(equals + 1), place.file, errors);
  const auto set_places = [&](auto& self, ConfigNode& node) -> void {
    node.place = place;
    for (ConfigNode& item : node.items) self(self, item);
    for (ConfigEntry& entry : node.entries) {
      entry.place = place;
      self(self, entry.value);
    }
  };
  set_places(set_places, value);
  ConfigNode* node = &root;
  std::string rest = override_text.substr(0, equals);
  while (!rest.empty()) {
    const std::size_t dot = rest.find('.');
    const std::string key = rest.substr(0, dot);
    rest = dot == std::string::npos ? "" : rest.substr(dot + 1);
    if (node->kind == ConfigNode::Kind::kList) {
      const bool digits = !key.empty() && key.size() < 7 && key.find_first_not_of("0123456789") == std::string::npos;
      if (!digits || std::stoul(key) >= node->items.size()) {
        errors.add(place, "'" + key + "' is not a position in a list of " + std::to_string(node->items.size()));
        return;
      }
      node = &node->items[std::stoul(key)];
      continue;
    }
    if (node->kind == ConfigNode::Kind::kScalar) {
      errors.add(place, "'" + key + "' lies below a plain value");
      return;
    }
    node->kind = ConfigNode::Kind::kMap;
    ConfigEntry* entry = const_cast<ConfigEntry*>(node->find(key));
    if (entry == nullptr) {
      node->entries.push_back({key, place, {}});
      entry = &node->entries.back();
      entry->value.place = place;
    }
    node = &entry->value;
  }
  merge(*node, std::move(value));
}

}  // namespace

ConfigNode load_config(const std::filesystem::path& path, const std::vector<std::string>& overrides,
                       ConfigErrors& errors) {
  Files files;
  ConfigNode root = load_file(path, "configuration", files, errors);
  if (root.place.file.empty()) root.place.file = path.string();  // an empty file
  for (const std::string& text : overrides) apply(root, text, errors);
  expand_all(root, errors);
  return root;
}

}  // namespace conclave
