#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace conclave {

// What decides the results of a comparison: its name, its budget, and every value of the configurations of its steps
// and methods, keyed "methods.kd: training.lr", without what folder and seed put into them; and the hash of every file
// that no step makes, keyed "file PATH".
using CompareFacts = std::map<std::string, std::string>;

// "training.lr was 1, now it is 2", for what `now` has otherwise or has lost, and for what it alone has other than an
// option's default. Keys are those of a configuration, also behind "methods.kd: ".
std::vector<std::string> fact_differences(const CompareFacts& was, const CompareFacts& now);

// Methods whose runs are another's, bit by bit, since nothing sets them apart: each with the first such one.
std::vector<std::pair<std::string, std::string>> methods_alike(const CompareFacts& facts);

// Compares with the facts kept in folder/comparison.json. Throws Error (where = that file, Exit::kUsage) that names
// what differs, and when the folder holds something else than a comparison. Steps and methods may be new, and ones that
// were there may be left out; a value that the file doesn't know (an option younger than it) is no difference while it
// is the option's default.
void check_same_comparison(const std::filesystem::path& folder, const CompareFacts& facts);

// Writes folder/comparison.json, atomically; the facts of steps and methods that are left out now stay in it.
void save_facts(const std::filesystem::path& folder, const CompareFacts& facts);

}  // namespace conclave
