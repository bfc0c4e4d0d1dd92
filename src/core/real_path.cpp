#include "core/real_path.h"

namespace conclave {

std::string real_path(const std::filesystem::path& path) {
  std::string text = std::filesystem::weakly_canonical(std::filesystem::absolute(path)).string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

}  // namespace conclave
