#pragma once

#include <filesystem>
#include <string>

namespace conclave {

// Absolute, with links followed as far as the path exists, without a slash at its end.
std::string real_path(const std::filesystem::path& path);

}  // namespace conclave
