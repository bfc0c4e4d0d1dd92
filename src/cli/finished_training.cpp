#include "cli/finished_training.h"

#include "cli/compare_facts.h"
#include "cli/config_run.h"
#include "core/config_node.h"
#include "core/error.h"
#include "core/file.h"
#include "core/join.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kLargestConfig = std::size_t{1} << 20;
constexpr std::size_t kMostTold = 5;  // differences

void flatten(const ConfigNode& node, const std::string& path, std::map<std::string, std::string>& values) {
  if (node.kind == ConfigNode::Kind::kScalar) values[path] = node.scalar;
  if (node.kind == ConfigNode::Kind::kList) values[path + ".size"] = std::to_string(node.items.size());
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    flatten(node.items[i], path + "." + std::to_string(i), values);
  }
  for (const ConfigEntry& entry : node.entries) {
    flatten(entry.value, (path.empty() ? "" : path + ".") + entry.key, values);
  }
}

// Not the folder and what only says how fast, how often and where.
bool decides_a_training(const std::string& key) {
  if (key == "ranks.bf16_gradients") return true;
  if (key.rfind("teachers.", 0) == 0 && key.ends_with(".workers")) return false;
  for (const char* other :
       {"run", "service.", "training.threads", "training.loader_threads", "training.window", "training.log_every",
        "training.checkpoint_every", "training.trace_steps", "training.eval_batch", "ranks."}) {
    if (key.rfind(other, 0) == 0) return false;
  }
  return true;
}

}  // namespace

std::map<std::string, std::string> config_values(const std::string& text, const std::string& file) {
  ConfigErrors errors;
  std::map<std::string, std::string> values;
  flatten(parse_config(text, file, errors), {}, values);
  errors.check();
  return values;
}

std::string not_the_training(const fs::path& folder, const std::string& config,
                             const std::vector<std::string>& overrides) {
  const fs::path file = folder / "config.yaml";
  if (!fs::exists(file)) return file.string() + " is not there, so nobody knows how it was trained";
  std::map<std::string, std::string> was, now;
  try {
    was = config_values(read_file(file, kLargestConfig), file.string());
    now = config_values(resolved_config(config, overrides), config);
  } catch (const Error& error) {
    return std::string("its configuration can't be read: ") + error.what();
  }
  for (auto* values : {&was, &now}) {
    std::erase_if(*values, [](const auto& each) { return !decides_a_training(each.first); });
  }
  std::vector<std::string> differences = fact_differences(was, now);
  if (differences.empty()) return {};
  if (differences.size() > kMostTold) {
    const std::string more = std::to_string(differences.size() - kMostTold) + " more";
    differences.resize(kMostTold);
    differences.push_back(more);
  }
  return "it was trained with another configuration, " + file.string() + ": " + join(differences, "; ");
}

}  // namespace conclave
