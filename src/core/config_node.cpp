#include "core/config_node.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <sstream>

namespace conclave {
namespace {

constexpr std::size_t kMostLevels = 32;
constexpr std::size_t kMostValues = 100'000;

ConfigPlace place_of(const std::string& file, const YAML::Mark& mark) {
  return {file, mark.line + 1, mark.column + 1};
}

std::size_t count(const ConfigNode& node) {
  std::size_t total = 1;
  for (const ConfigNode& item : node.items) total += count(item);
  for (const ConfigEntry& entry : node.entries) total += count(entry.value);
  return total;
}

// Builds the tree from yaml-cpp's events: its own tree forgets duplicate keys.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& file, ConfigErrors& errors) : file_(file), errors_(errors) {}

  ConfigNode root;

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(make(ConfigNode::Kind::kNull, mark), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end())
      throw Error("an alias to a value that is not finished", place_of(file_, mark).text(), {}, Exit::kUsage);
    values_ += count(found->second);
    check_bounds(mark);
    ConfigNode copy = found->second;
    add(std::move(copy), YAML::NullAnchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    // yaml-cpp gives plain scalars the tag "?", quoted ones "!": only a plain ~ or null is nothing.
    const bool nothing = tag == "?" && (value.empty() || value == "~" || value == "null");
    ConfigNode node = make(nothing ? ConfigNode::Kind::kNull : ConfigNode::Kind::kScalar, mark);
    node.scalar = nothing ? "" : value;
    add(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(make(ConfigNode::Kind::kList, mark), anchor, mark);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(make(ConfigNode::Kind::kMap, mark), anchor, mark);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    ConfigNode node;
    YAML::anchor_t anchor;
    bool has_key = false;
    std::string key;
    ConfigPlace key_place;
  };

  ConfigNode make(ConfigNode::Kind kind, const YAML::Mark& mark) {
    values_ += 1;
    check_bounds(mark);
    ConfigNode node;
    node.kind = kind;
    node.place = place_of(file_, mark);
    return node;
  }

  void check_bounds(const YAML::Mark& mark) const {
    if (values_ > kMostValues) throw Error("more than 100,000 values", place_of(file_, mark).text(), {}, Exit::kUsage);
    if (levels_.size() >= kMostLevels)
      throw Error("nested more than 32 levels deep", place_of(file_, mark).text(), {}, Exit::kUsage);
  }

  void open(ConfigNode node, YAML::anchor_t anchor, const YAML::Mark& mark) {
    check_bounds(mark);
    levels_.push_back({std::move(node), anchor, false, {}, {}});
  }

  void close() {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    add(std::move(level.node), level.anchor);
  }

  void add(ConfigNode node, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) anchors_[anchor] = node;
    if (levels_.empty()) {
      root = std::move(node);
      return;
    }
    Level& level = levels_.back();
    if (level.node.kind == ConfigNode::Kind::kList) {
      level.node.items.push_back(std::move(node));
    } else if (!level.has_key) {
      if (node.kind != ConfigNode::Kind::kScalar) errors_.add(node.place, "a key must be a word");
      level.has_key = true;
      level.key = node.scalar;
      level.key_place = node.place;
    } else {
      level.has_key = false;
      if (const ConfigEntry* first = level.node.find(level.key)) {
        errors_.add(level.key_place, "duplicate key '" + level.key + "' (first at " + first->place.text() + ")");
        return;
      }
      level.node.entries.push_back({level.key, level.key_place, std::move(node)});
    }
  }

  const std::string& file_;
  ConfigErrors& errors_;
  std::vector<Level> levels_;
  std::map<YAML::anchor_t, ConfigNode> anchors_;
  std::size_t values_ = 0;
};

}  // namespace

std::string ConfigPlace::text() const {
  return line == 0 ? file : file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

void ConfigErrors::check(const std::string& hint) const {
  if (messages_.empty()) return;
  std::string text;
  for (const std::string& message : messages_) text += (text.empty() ? "" : "\n") + message;
  throw Error(text, {}, hint, Exit::kUsage);
}

const ConfigEntry* ConfigNode::find(const std::string& key) const {
  for (const ConfigEntry& entry : entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

ConfigNode parse_config(const std::string& text, const std::string& file, ConfigErrors& errors) {
  TreeBuilder builder(file, errors);
  try {
    std::istringstream in(text);
    YAML::Parser parser(in);
    parser.HandleNextDocument(builder);
  } catch (const YAML::Exception& error) {
    throw Error("not valid YAML: " + error.msg, place_of(file, error.mark).text(), {}, Exit::kUsage);
  }
  return std::move(builder.root);
}

}  // namespace conclave
