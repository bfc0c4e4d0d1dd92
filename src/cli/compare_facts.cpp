#include "cli/compare_facts.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "cli/config_run.h"
#include "core/error.h"
#include "core/file.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kLargestFile = std::size_t{64} << 20;
constexpr std::size_t kMostTold = 5;

fs::path file_in(const fs::path& folder) {
  return folder / "comparison.json";
}

CompareFacts read_facts(const fs::path& file) {
  try {
    const auto json = nlohmann::json::parse(read_file(file, kLargestFile));
    if (json.at("format") != 1) throw Error("was written by another version of conclave", file.string());
    return json.at("facts").get<CompareFacts>();
  } catch (const nlohmann::json::exception& error) {
    throw Error(std::string("is not a comparison's: ") + error.what(), file.string(),
                "choose another folder with run=PATH");
  }
}

// "methods.kd" of "methods.kd: training.lr".
std::string owner(const std::string& key) {
  return key.substr(0, key.find(": "));
}

std::set<std::string> owners(const CompareFacts& facts) {
  std::set<std::string> found;
  for (const auto& [key, value] : facts) found.insert(owner(key));
  return found;
}

bool is_number(const std::string& word) {
  return !word.empty() && word.find_first_not_of("0123456789") == std::string::npos;
}

// "data.train.0.limit" of "methods.kd: data.train.0.limit".
std::string path_of(const std::string& key) {
  const std::size_t colon = key.find(": ");
  return colon == std::string::npos ? key : key.substr(colon + 2);
}

// "data.train[].limit" of "data.train.0.limit", as the reference names it.
std::string reference_name(const std::string& path) {
  std::string name;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string word = path.substr(begin, end - begin);
    name += is_number(word) ? "[]" : (name.empty() ? "" : ".") + word;
    begin = end + 1;
  }
  return name;
}

// What a configuration that doesn't say has there, as the reference shows it; nothing for what is no option.
std::optional<std::string> default_of(const std::string& path) {
  static const std::string reference = config_reference_markdown();
  const std::string name = reference_name(path), start = "| `" + name + "` | ", list = "| **`" + name + "`** | ";
  std::size_t row = reference.find(start);
  if (row == std::string::npos) row = reference.find(list);
  if (row == std::string::npos) return std::nullopt;
  const std::size_t type = reference.find(" | ", row) + 3, value = reference.find(" | ", type) + 3;
  std::string text = reference.substr(value, reference.find(" |", value - 1) - value + 1);
  std::erase_if(text, [](char c) { return c == '`' || c == ' '; });
  return text;
}

// The parts of "[0.3,0.5]"; nothing for what is no list.
std::optional<std::vector<std::string>> parts_of(const std::optional<std::string>& list) {
  if (!list || list->size() < 2 || list->front() != '[') return std::nullopt;
  std::vector<std::string> parts;
  for (std::size_t begin = 1; begin < list->size() - 1;) {
    const std::size_t end = std::min(list->find(',', begin), list->size() - 1);
    parts.push_back(list->substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

bool is_default(const std::string& key, const std::string& value) {
  const std::string path = path_of(key);
  const std::size_t dot = path.rfind('.');
  const std::string parent = path.substr(0, dot), last = dot == std::string::npos ? "" : path.substr(dot + 1);
  if (last == "size" && !default_of(path)) {
    const auto parts = parts_of(default_of(parent));
    // No `labelled` is all classes, not none.
    return parts && value == std::to_string(parts->size()) && !parent.ends_with(".labelled");
  }
  if (is_number(last)) {
    const auto parts = parts_of(default_of(parent));
    const std::size_t index = std::stoul(last);
    return parts && index < parts->size() && (*parts)[index] == value;
  }
  return default_of(path) == value;
}

}  // namespace

std::vector<std::string> fact_differences(const CompareFacts& was, const CompareFacts& now) {
  std::vector<std::string> differences;
  for (const auto& [key, value] : was) {
    const auto found = now.find(key);
    if (found == now.end()) {
      differences.push_back(key + " was " + value + ", now it is gone");
    } else if (found->second != value) {
      differences.push_back(key + " was " + value + ", now it is " + found->second);
    }
  }
  for (const auto& [key, value] : now) {
    if (!was.contains(key) && !is_default(key, value)) {
      differences.push_back(key + " was not given, now it is " + value);
    }
  }
  return differences;
}

std::vector<std::pair<std::string, std::string>> methods_alike(const CompareFacts& facts) {
  const std::string prefix = "methods.";
  std::map<std::string, std::string> values;  // by owner
  for (const auto& [key, value] : facts) {
    if (key.starts_with(prefix)) values[owner(key)] += path_of(key) + "=" + value + "\n";
  }
  std::map<std::string, std::string> first;  // by values
  std::vector<std::pair<std::string, std::string>> alike;
  for (const auto& [method, text] : values) {
    const auto [it, is_new] = first.emplace(text, method);
    if (!is_new) alike.emplace_back(method.substr(prefix.size()), it->second.substr(prefix.size()));
  }
  return alike;
}

void check_same_comparison(const fs::path& folder, const CompareFacts& facts) {
  if (!fs::exists(folder)) return;
  if (!fs::is_directory(folder)) throw Error("is not a folder", folder.string(), {}, Exit::kUsage);
  if (!fs::exists(file_in(folder))) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().filename() == ".lock") continue;
      throw Error("holds " + entry.path().filename().string() + ", but no comparison", folder.string(),
                  "choose another folder with run=PATH", Exit::kUsage);
    }
    return;
  }
  const CompareFacts saved = read_facts(file_in(folder));
  // Steps, methods and files that only one of them has are no difference.
  const std::set<std::string> present = owners(facts), known = owners(saved);
  CompareFacts was, now;
  std::copy_if(saved.begin(), saved.end(), std::inserter(was, was.end()),
               [&](const auto& fact) { return present.contains(owner(fact.first)); });
  std::copy_if(facts.begin(), facts.end(), std::inserter(now, now.end()),
               [&](const auto& fact) { return known.contains(owner(fact.first)); });
  const std::vector<std::string> all = fact_differences(was, now);
  std::string differences;
  for (std::size_t i = 0; i < std::min(all.size(), kMostTold); ++i) differences += "\n  " + all[i];
  if (all.size() > kMostTold) differences += "\n  and " + std::to_string(all.size() - kMostTold) + " more";
  if (all.empty()) return;
  throw Error(
      "these are the results of another comparison:" + differences, file_in(folder).string(),
      "set these back to go on with it (methods and seeds may be added), or choose another folder with run=PATH",
      Exit::kUsage);
}

void save_facts(const fs::path& folder, const CompareFacts& facts) {
  CompareFacts all = facts;
  if (fs::exists(file_in(folder))) {
    const std::set<std::string> present = owners(facts);
    for (const auto& [key, value] : read_facts(file_in(folder))) {
      if (!present.contains(owner(key))) all[key] = value;
    }
  }
  const nlohmann::json json = {{"format", 1}, {"facts", all}};
  write_file_atomically(file_in(folder), json.dump(1) + "\n");
}

}  // namespace conclave
