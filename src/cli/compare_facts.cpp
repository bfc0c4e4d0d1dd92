#include "cli/compare_facts.h"

#include <nlohmann/json.hpp>
#include <set>

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
  return key.substr(0, key.find(':'));
}

std::set<std::string> owners(const CompareFacts& facts) {
  std::set<std::string> found;
  for (const auto& [key, value] : facts) found.insert(owner(key));
  return found;
}

}  // namespace

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
  const std::set<std::string> present = owners(facts);
  std::string differences;
  std::size_t count = 0;
  for (const auto& [key, was] : saved) {
    const auto now = facts.find(key);
    if (now != facts.end() ? now->second == was : !present.contains(owner(key))) continue;
    if (++count > kMostTold) continue;
    differences +=
        "\n  " + key + " was " + was + (now == facts.end() ? ", now it is gone" : ", now it is " + now->second);
  }
  if (count > kMostTold) differences += "\n  and " + std::to_string(count - kMostTold) + " more";
  if (count == 0) return;
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
