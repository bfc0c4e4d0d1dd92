#pragma once

#include <string>

#include "core/config_node.h"

namespace conclave {

// Limits that keep hostile YAML (deep nesting, aliases of aliases) small.
inline constexpr std::size_t kMaxConfigBytes = 4u << 20;
inline constexpr std::size_t kMaxConfigDepth = 50;
inline constexpr std::size_t kMaxConfigNodes = 100'000;  // after aliases are expanded

// Reads one YAML document. Places are "name:line:column". A key that stands twice is added to `errors` and the first kept;
// broken YAML, or YAML beyond the limits, throws Error (Exit::kUsage, where = the place).
ConfigNode parse_yaml(const std::string& text, const std::string& name, ConfigErrors& errors);

// The same for a value of the command line: every place is `place`.
ConfigNode parse_yaml_value(const std::string& text, const std::string& place, ConfigErrors& errors);

}  // namespace conclave
