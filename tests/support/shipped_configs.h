#pragma once

#include <cstdlib>
#include <filesystem>

namespace conclave {

// The folder of the configurations that the repository ships. They name their data by environment variables, which are
// set to folders that need not exist where the caller has not set them.
inline std::filesystem::path shipped_configs_folder() {
  for (const char* name : {"BCCD", "CARLA", "RACCOON"}) setenv(name, "data", /*overwrite=*/0);
  return std::filesystem::path(CONCLAVE_SOURCE_DIR) / "configs";
}

}  // namespace conclave
