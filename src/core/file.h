#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace conclave {

// The whole file as bytes. Throws Error (where = path) when it can't be read or is larger than `limit`.
std::string read_file(const std::filesystem::path& path, std::size_t limit = std::size_t{1} << 40);

// Writes aside (path.tmp-PID), syncs, renames over `path`, syncs the folder. After a failure (a full disk, say) the old
// file is untouched, the one aside is removed and Error is thrown.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file_atomically(const std::filesystem::path& path, const std::string& text);

}  // namespace conclave
