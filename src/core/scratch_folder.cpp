#include "core/scratch_folder.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "core/error.h"

namespace conclave {

namespace fs = std::filesystem;

ScratchFolder::ScratchFolder(const std::string& name) {
  std::error_code failure;
  const fs::path parent = fs::temp_directory_path(failure);
  if (failure) throw Error("there is no folder for temporary files: " + failure.message(), "TMPDIR", "set it to one");
  std::string pattern = (fs::absolute(parent) / ("conclave-" + name + "-XXXXXX")).string();
  if (mkdtemp(pattern.data()) == nullptr) {
    throw Error(std::string("can't make a folder for temporary files: ") + std::strerror(errno), pattern,
                "make room there, or set TMPDIR to another folder");
  }
  path_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace conclave
