#pragma once

#include <optional>
#include <string>
#include <vector>

namespace conclave {

// The candidate that a mistyped word most likely meant: smallest edit distance, at most a third of its length (and at
// least 1) away. Nothing when none is near.
std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace conclave
