#pragma once

#include <filesystem>
#include <string>

namespace conclave {

// A folder of its own under the system's place for temporary files, removed with everything in it.
class ScratchFolder {
 public:
  // `name`: what it is for; a part of the folder's name. Throws Error when it can't be made.
  explicit ScratchFolder(const std::string& name);
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;  // absolute
};

}  // namespace conclave
