#include "core/config_parse.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <sstream>

namespace conclave {
namespace {

using Placer = std::function<std::string(const YAML::Mark&)>;

[[noreturn]] void fail(const std::string& what, const std::string& place, const std::string& hint = {}) {
  throw Error(what, place, hint, Exit::kUsage);
}

std::size_t count_nodes(const ConfigNode& node) {
  std::size_t count = 1;
  for (const ConfigNode& item : node.items) count += count_nodes(item);
  for (const ConfigEntry& entry : node.entries) count += count_nodes(entry.value);
  return count;
}

// How deep a node goes: 1 for a scalar.
std::size_t depth_of(const ConfigNode& node) {
  std::size_t depth = 0;
  for (const ConfigNode& item : node.items) depth = std::max(depth, depth_of(item));
  for (const ConfigEntry& entry : node.entries) depth = std::max(depth, depth_of(entry.value));
  return depth + 1;
}

// Builds the tree from yaml-cpp's events: its own Node hides duplicate keys.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(Placer place, ConfigErrors& errors) : place_(std::move(place)), errors_(errors) {}

  ConfigNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    ConfigNode node;
    node.place = place_(mark);
    add(std::move(node), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    ConfigNode node = start(mark, ConfigNode::Kind::kScalar, tag);
    node.scalar = value;
    node.text = tag != "?";
    add(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) fail("an alias refers to the value that it stands in", place_(mark));
    nodes_ += found->second.nodes;
    check_limits(place_(mark), found->second.depth);
    add(found->second.node, 0);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open_.push_back({start(mark, ConfigNode::Kind::kList, tag), anchor, std::nullopt});
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open_.push_back({start(mark, ConfigNode::Kind::kMap, tag), anchor, std::nullopt});
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    ConfigNode node;
    YAML::anchor_t anchor;
    std::optional<ConfigEntry> pending;  // a map's key that waits for its value
  };
  struct Anchored {
    ConfigNode node;
    std::size_t nodes, depth;
  };

  ConfigNode start(const YAML::Mark& mark, ConfigNode::Kind kind, const std::string& tag) {
    ConfigNode node;
    node.kind = kind;
    node.place = place_(mark);
    if (!tag.empty() && tag != "?" && tag != "!" && tag != "tag:yaml.org,2002:str")
      fail("YAML tags are not supported here", node.place);
    return node;
  }

  void check_limits(const std::string& place, std::size_t below) const {
    if (open_.size() + below > kMaxConfigDepth)
      fail("more than " + std::to_string(kMaxConfigDepth) + " levels of nesting", place);
    if (nodes_ > kMaxConfigNodes)
      fail("more than " + std::to_string(kMaxConfigNodes) + " values once aliases are expanded", place);
  }

  void close() {
    Open top = std::move(open_.back());
    open_.pop_back();
    add(std::move(top.node), top.anchor);
  }

  void add(ConfigNode node, YAML::anchor_t anchor) {
    ++nodes_;
    check_limits(node.place, 1);
    if (anchor) anchors_[anchor] = {node, count_nodes(node), depth_of(node)};
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (open_.back().node.kind == ConfigNode::Kind::kList) {
      open_.back().node.items.push_back(std::move(node));
    } else if (!open_.back().pending) {
      add_key(open_.back(), std::move(node));
    } else {
      ConfigEntry entry = std::move(*open_.back().pending);
      open_.back().pending.reset();
      entry.value = std::move(node);
      if (const ConfigEntry* first = open_.back().node.find(entry.key))
        errors_.add(entry.place, "the key '" + entry.key + "' stands twice; first at " + first->place);
      else
        open_.back().node.entries.push_back(std::move(entry));
    }
  }

  void add_key(Open& map, ConfigNode node) const {
    if (node.kind != ConfigNode::Kind::kScalar) fail("a key must be a word, not " + describe(node), node.place);
    map.pending = ConfigEntry{node.scalar, node.place, {}};
  }

  Placer place_;
  ConfigErrors& errors_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  ConfigNode root_;
  std::size_t nodes_ = 0;
};

ConfigNode parse(const std::string& text, const Placer& place, ConfigErrors& errors) {
  TreeBuilder builder(place, errors);
  std::istringstream stream(text);
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    ConfigNode root = builder.take();
    ConfigErrors ignored;
    TreeBuilder second(place, ignored);
    if (parser.HandleNextDocument(second)) fail("more than one YAML document", root.place);
    if (root.place.empty()) root.place = place(YAML::Mark());
    return root;
  } catch (const YAML::Exception& e) {
    errors.add(place(e.mark), "broken YAML: " + e.msg);
    errors.raise();
    throw;
  }
}

}  // namespace

ConfigNode parse_yaml(const std::string& text, const std::string& name, ConfigErrors& errors) {
  const Placer placer = [&](const YAML::Mark& mark) {
    return name + ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1);
  };
  if (text.size() > kMaxConfigBytes) fail("a configuration of more than 4 MB", name);
  if (text.find('\0') != std::string::npos) fail("this is not a text file", name);
  return parse(text, placer, errors);
}

ConfigNode parse_yaml_value(const std::string& text, const std::string& place, ConfigErrors& errors) {
  if (text.size() > kMaxConfigBytes) fail("a value of more than 4 MB", place);
  return parse(text, [&](const YAML::Mark&) { return place; }, errors);
}

}  // namespace conclave
