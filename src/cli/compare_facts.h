#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace conclave {

// What decides the results of a comparison: its name, its budget, and every value of the configurations of its steps
// and methods, keyed "methods.kd: training.lr", without what folder and seed put into them.
using CompareFacts = std::map<std::string, std::string>;

// Compares with the facts kept in folder/comparison.json. Throws Error (where = that file, Exit::kUsage) that names
// what differs, and when the folder holds something else than a comparison. Steps and methods may be new, and ones that
// were there may be left out; a value that the file doesn't know (an option younger than it) is no difference.
void check_same_comparison(const std::filesystem::path& folder, const CompareFacts& facts);

// Writes folder/comparison.json, atomically; the facts of steps and methods that are left out now stay in it.
void save_facts(const std::filesystem::path& folder, const CompareFacts& facts);

}  // namespace conclave
