#pragma once

#include <filesystem>

#include "cli/runner.h"

namespace conclave {

// A folder, or a file that is not .safetensors.
bool is_export(const std::filesystem::path& path);

// What conclave export wrote, as its model.json describes it. See open_runner.
Runner open_export(const std::filesystem::path& path, const RunnerOptions& options);

}  // namespace conclave
