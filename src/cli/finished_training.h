#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace conclave {

// Every value of a configuration's text by its path: "data.train.0.limit". Throws Error (where = `file`) for what is no
// YAML.
std::map<std::string, std::string> config_values(const std::string& text, const std::string& file);

// Whether the finished training in `folder` may be taken for that of this configuration: what is against it in words,
// empty: nothing. What only says how fast, how often and where may differ.
std::string not_the_training(const std::filesystem::path& folder, const std::string& config,
                             const std::vector<std::string>& overrides);

}  // namespace conclave
