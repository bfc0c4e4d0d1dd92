#pragma once

#include <string>
#include <vector>

namespace conclave {

// "a, b, c".
inline std::string join(const std::vector<std::string>& words, const std::string& separator = ", ") {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) text += (i == 0 ? "" : separator) + words[i];
  return text;
}

}  // namespace conclave
