#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace conclave {

// A file to look at, and what its results are called.
struct PredictInput {
  std::string path;
  bool video = false;
  std::filesystem::path name;  // of its results, relative to the output folder, without extension; unique
};

// Files as they are named, folders with everything below them, by path. What lies in `out` is left out, so that results
// are not looked at again. Throws Error for a file that does not exist and a folder without images and videos.
std::vector<PredictInput> find_inputs(const std::vector<std::string>& paths, const std::filesystem::path& out);

}  // namespace conclave
