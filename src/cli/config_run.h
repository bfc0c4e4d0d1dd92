#pragma once

#include <string>
#include <vector>

#include "student/options.h"

namespace conclave {

// Reads, merges and checks a run's configuration. Throws Error (Exit::kUsage) that lists everything wrong with it, each
// with file:line:column.
RunOptions read_run_options(const std::string& path, const std::vector<std::string>& overrides);

// The resolved configuration as YAML; reading it again gives the same run.
std::string resolved_config(const std::string& path, const std::vector<std::string>& overrides);
// The same with the place that set each value behind it.
std::string resolved_with_sources(const std::string& path, const std::vector<std::string>& overrides);

// The words by which a configuration names them.
std::string name_of(Method method);
std::string name_of(DistillLoss loss);

// Every key with type, default and meaning, as the Markdown page docs/configuration.md.
std::string config_reference_markdown();

}  // namespace conclave
