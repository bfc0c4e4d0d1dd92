#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "core/scratch_folder.h"

namespace conclave {

// A folder of one test's own, removed with all that is in it.
class TemporaryFolder : public ScratchFolder {
 public:
  TemporaryFolder() : ScratchFolder("test") {}

  std::filesystem::path operator/(const std::string& name) const { return path() / name; }

  // Returns the path of what it wrote.
  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path() / name).parent_path());
    std::ofstream(path() / name, std::ios::binary) << text;
    return path() / name;
  }
};

}  // namespace conclave
