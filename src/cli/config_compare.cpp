#include "cli/config_compare.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>

#include "core/config_table.h"
#include "core/join.h"
#include "core/nearest.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;
using Kind = ConfigNode::Kind;

// A value as YAML on one line.
std::string flow_text(const ConfigNode& node) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  switch (node.kind) {
    case Kind::kNull:
      return "~";
    case Kind::kScalar:
      return yaml_quote(node.scalar);
    case Kind::kList:
      for (const ConfigNode& item : node.items) add(flow_text(item));
      return '[' + text + ']';
    case Kind::kMap:
      for (const ConfigEntry& entry : node.entries) add(yaml_quote(entry.key) + ": " + flow_text(entry.value));
      return '{' + text + '}';
  }
  return text;
}

// Takes the key out of the map; nothing (kNull) where it is absent.
ConfigNode take(ConfigNode& map, const std::string& key) {
  ConfigNode taken;
  const auto found = std::find_if(map.entries.begin(), map.entries.end(), [&](const auto& e) { return e.key == key; });
  if (found == map.entries.end()) return taken;
  taken = std::move(found->value);
  map.entries.erase(found);
  return taken;
}

// One override per value, so that a map is merged into what is there also where a key counts in a list.
void add_overrides(const std::string& path, const ConfigEntry& entry, std::vector<PlacedOverride>& overrides) {
  const std::vector<ConfigEntry>& inner = entry.value.entries;
  const bool words = std::all_of(inner.begin(), inner.end(), [](const ConfigEntry& each) {
    return !each.key.empty() && each.key.find_first_of(".=") == std::string::npos;
  });
  if (inner.empty() || !words) {
    overrides.push_back({path + "=" + flow_text(entry.value), entry.place});
    return;
  }
  for (const ConfigEntry& each : inner) add_overrides(path + "." + each.key, each, overrides);
}

std::vector<PlacedOverride> overrides_of(const ConfigNode& set, const std::string& path, ConfigErrors& errors) {
  std::vector<PlacedOverride> overrides;
  if (set.kind != Kind::kMap && set.kind != Kind::kNull) errors.add(set.place, path + " must be a map of keys");
  for (const ConfigEntry& entry : set.entries) add_overrides(entry.key, entry, overrides);
  return overrides;
}

// A path in a file is relative to that file; one on the command line to the working folder.
std::string path_from(const ConfigNode& node) {
  if (node.kind != Kind::kScalar || node.place.line == 0) return node.scalar;
  return (fs::path(node.place.file).parent_path() / node.scalar).lexically_normal().string();
}

// A name that becomes that of a file.
void check_name(const std::string& name, const ConfigPlace& place, const std::string& kind, ConfigErrors& errors) {
  const std::string allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  if (!name.empty() && name[0] != '.' && name.size() <= 100 && name.find_first_not_of(allowed) == std::string::npos)
    return;
  errors.add(place, kind + " can't be named '" + name + "': letters, digits, _, - and . only, for it names a folder");
}

class CompareFile {
 public:
  CompareFile(const std::string& path, const std::vector<std::string>& overrides)
      : path_(path), root_(load_config(path, overrides, errors_)) {}

  CompareOptions read() {
    options_.file = path_;
    options_.name = fs::path(path_).stem().string();
    const ConfigNode base = take(root_, "base"), set = take(root_, "set"), prepare = take(root_, "prepare"),
                     methods = take(root_, "methods");
    budget(take(root_, "budget"));
    ConfigPlace baseline = root_.place, seeds = root_.place, gap = root_.place;
    if (const ConfigEntry* entry = root_.find("baseline")) baseline = entry->value.place;
    if (const ConfigEntry* entry = root_.find("seeds")) seeds = entry->value.place;
    if (const ConfigEntry* entry = root_.find("gap")) gap = entry->value.place;
    std::vector<double> numbers = {0, 1, 2};
    std::vector<std::string> bounds;
    read_keys(numbers, bounds);
    check_name(options_.name, root_.place, "a comparison", errors_);
    if (options_.run.empty()) options_.run = "runs/compare-" + options_.name;
    read_seeds(numbers, seeds);
    const std::vector<PlacedOverride> common = overrides_of(set, "set", errors_);
    check_left_alone(common, "set");
    read_methods(methods, path_from(base), common);
    read_prepare(prepare);
    check_names_differ();
    check_references(baseline, bounds, gap);
    errors_.check("docs/compare.md lists every key");
    return options_;
  }

 private:
  void fail(const ConfigPlace& place, const std::string& what) { errors_.add(place, what); }

  // Keys that are read elsewhere are bound too, so that a mistyped one finds its neighbour.
  void read_keys(std::vector<double>& seeds, std::vector<std::string>& gap) {
    ConfigTable table;
    std::vector<std::string> elsewhere;
    table.value("name", options_.name, "");
    table.value("run", options_.run, "");
    for (const char* key : {"base", "set", "prepare", "methods", "budget"}) table.value(key, elsewhere, "");
    table.value("seeds", seeds, "", 0, 1e15);
    table.value("baseline", options_.baseline, "");
    table.value("gap", gap, "");
    table.value("slots", options_.slots, "", 1, 1024);
    table.value("environment", options_.environment, "");
    table.section("views", "").value("shared", options_.share_views, "");
    table.read(root_, errors_);
  }

  void budget(const ConfigNode& node) {
    if (node.kind == Kind::kNull) return;
    if (node.kind == Kind::kScalar && node.scalar == "own") {
      options_.budget = BudgetKind::kOwn;
      return;
    }
    if (node.kind != Kind::kMap || node.entries.size() != 1) {
      return fail(node.place, "budget must be {images: N}, {seconds: N} or own");
    }
    double number = 0;
    ConfigTable table;
    table.value("images", number, "", 1, std::numeric_limits<int>::max());
    table.value("seconds", number, "", 1, 1e9);
    table.read(node, errors_, "budget.");
    options_.budget = node.entries[0].key == "seconds" ? BudgetKind::kSeconds : BudgetKind::kImages;
    options_.images = static_cast<std::int64_t>(number);
    options_.seconds = number;
    if (options_.budget == BudgetKind::kImages && static_cast<double>(options_.images) != number)
      fail(node.place, "budget.images must be a whole number");
  }

  void read_seeds(const std::vector<double>& numbers, const ConfigPlace& place) {
    if (numbers.empty()) fail(place, "seeds is empty: name at least one, better five");
    std::set<double> known;
    for (const double number : numbers) {
      if (number != std::floor(number)) fail(place, "seeds must be whole numbers");
      if (!known.insert(number).second) fail(place, "seed " + shortest(number) + " is named twice");
      options_.seeds.push_back(static_cast<std::uint64_t>(number));
    }
  }

  // What a method can't choose: the comparison names the folder and the seed of its runs.
  void check_left_alone(const std::vector<PlacedOverride>& set, const std::string& path) {
    for (const PlacedOverride& each : set) {
      const std::string key = each.text.substr(0, each.text.find('='));
      if (key == "run" || key == "seed") fail(each.place, path + ": the comparison itself sets " + key);
    }
  }

  void read_methods(const ConfigNode& methods, const std::string& base, const std::vector<PlacedOverride>& common) {
    if (methods.kind != Kind::kMap || methods.entries.size() < 2) {
      const ConfigPlace& place = methods.place.file.empty() ? root_.place : methods.place;
      return fail(place, "methods must be a map of at least two: NAME: {config: run.yaml, set: {key: value}}");
    }
    for (const ConfigEntry& entry : methods.entries) {
      const std::string path = "methods." + entry.key;
      CompareMethod method;
      method.name = entry.key;
      method.place = entry.place;
      method.config = base;
      method.set = common;
      check_name(method.name, method.place, "a method", errors_);
      ConfigNode rest = entry.value;
      if (rest.kind != Kind::kMap && rest.kind != Kind::kNull) {
        fail(rest.place, path + " must be a map: {config: run.yaml, set: {key: value}}");
        continue;
      }
      const std::vector<PlacedOverride> own = overrides_of(take(rest, "set"), path + ".set", errors_);
      check_left_alone(own, path + ".set");
      method.set.insert(method.set.end(), own.begin(), own.end());
      const ConfigEntry* config = rest.find("config");
      std::vector<std::string> elsewhere;
      ConfigTable table;
      table.value("config", method.config, "");
      table.value("description", method.description, "");
      table.value("seed_shift", method.seed_shift, "", 0);
      table.value("may_fail", method.may_fail, "");
      table.value("set", elsewhere, "");
      table.read(rest, errors_, path + ".");
      check_shift(method);
      if (config != nullptr) method.config = path_from(config->value);
      if (method.config.empty())
        fail(method.place, path + ": no configuration; name one as base or " + path + ".config");
      options_.methods.push_back(std::move(method));
    }
  }

  // A run under a seed that another run of the comparison has anyway is no further draw.
  void check_shift(const CompareMethod& method) {
    if (method.seed_shift == 0) return;
    for (const std::uint64_t seed : options_.seeds) {
      const std::uint64_t shifted = seed + static_cast<std::uint64_t>(method.seed_shift);
      if (std::find(options_.seeds.begin(), options_.seeds.end(), shifted) == options_.seeds.end()) continue;
      fail(method.place, "methods." + method.name + ".seed_shift: " + std::to_string(seed) + " + " +
                             std::to_string(method.seed_shift) + " is itself one of the seeds; shift by 1000, say");
      return;
    }
  }

  void read_prepare(const ConfigNode& steps) {
    if (steps.kind == Kind::kNull) return;
    if (steps.kind != Kind::kList) return fail(steps.place, "prepare must be a list of steps");
    std::vector<std::string> names;
    for (std::size_t i = 0; i < steps.items.size(); ++i) {
      const std::string path = "prepare." + std::to_string(i);
      ConfigNode rest = steps.items[i];
      PrepareStep step;
      step.place = rest.place;
      if (rest.kind != Kind::kMap) {
        fail(rest.place, path + " must be a map: {name: NAME, command: […]} or {name: NAME, train: run.yaml}");
        continue;
      }
      step.set = overrides_of(take(rest, "set"), path + ".set", errors_);
      const ConfigEntry* train = rest.find("train");
      std::vector<std::string> elsewhere;
      ConfigTable table;
      table.value("name", step.name, "");
      table.value("command", step.command, "");
      table.value("train", step.train, "");
      table.value("each_seed", step.each_seed, "");
      table.value("after", step.after, "");
      table.value("set", elsewhere, "");
      table.read(rest, errors_, path + ".");
      if (train != nullptr) step.train = path_from(train->value);
      check_name(step.name, step.place, "a step", errors_);
      if (step.command.empty() == step.train.empty()) fail(step.place, path + " needs either command or train");
      if (step.train.empty() && !step.set.empty()) fail(step.place, path + ": set goes with train");
      check_order(step, path);
      if (std::find(names.begin(), names.end(), step.name) != names.end())
        fail(step.place, "two steps are named '" + step.name + "'");
      names.push_back(step.name);
      options_.prepare.push_back(std::move(step));
    }
  }

  // Logs and estimates know both by their names.
  void check_names_differ() {
    for (const PrepareStep& step : options_.prepare) {
      for (const CompareMethod& method : options_.methods) {
        if (step.name != method.name) continue;
        const auto position = [](const ConfigPlace& place) { return std::pair(place.line, place.column); };
        const ConfigPlace& second = position(step.place) < position(method.place) ? method.place : step.place;
        fail(second, "a step and a method are both named '" + step.name + "'");
      }
    }
  }

  void check_order(const PrepareStep& step, const std::string& path) {
    for (const std::string& before : step.after) {
      const auto found = std::find_if(options_.prepare.begin(), options_.prepare.end(),
                                      [&](const PrepareStep& above) { return above.name == before; });
      if (found == options_.prepare.end()) {
        fail(step.place, path + ".after: no step above is named '" + before + "'");
      } else if (found->each_seed && !step.each_seed) {
        fail(step.place, path + ".after: '" + before + "' runs for every seed, this step once, before them");
      }
    }
  }

  void check_method(const std::string& name, const ConfigPlace& place, const std::string& what) {
    std::vector<std::string> names;
    for (const CompareMethod& method : options_.methods) names.push_back(method.name);
    if (std::find(names.begin(), names.end(), name) != names.end()) return;
    std::string text = what + " '" + name + "' is not one of the methods " + join(names);
    if (const auto near = nearest(name, names)) text += "; did you mean '" + *near + "'?";
    fail(place, text);
  }

  void check_references(const ConfigPlace& baseline, const std::vector<std::string>& gap,
                        const ConfigPlace& gap_place) {
    if (options_.methods.empty()) return;
    if (options_.baseline.empty()) {
      fail(root_.place, "baseline is missing: name the method that the others are compared with");
    } else {
      check_method(options_.baseline, baseline, "baseline");
    }
    if (gap.empty()) return;
    if (gap.size() != 2) return fail(gap_place, "gap must name two methods: [ignore, labels], say");
    check_method(gap[0], gap_place, "gap");
    check_method(gap[1], gap_place, "gap");
    if (gap[0] == gap[1]) fail(gap_place, "gap names " + gap[0] + " twice: name the lower and the upper method");
    options_.lower = gap[0];
    options_.upper = gap[1];
  }

  std::string path_;
  ConfigErrors errors_;
  ConfigNode root_;
  CompareOptions options_;
};

}  // namespace

CompareOptions read_compare_options(const std::string& path, const std::vector<std::string>& overrides) {
  return CompareFile(path, overrides).read();
}

}  // namespace conclave
