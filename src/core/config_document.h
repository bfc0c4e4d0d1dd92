#pragma once

#include <string>
#include <vector>

#include "core/config_node.h"

namespace conclave {

// A YAML file with its bases and the command line's overrides, as one tree.
//   _base_: other.yaml        one path or a list, relative to the file; loaded first, later ones and the file itself win
//   a.b=c, train.0.name=x     the value is YAML; a position in a list may be one past its end
//   ${NAME}, ${NAME:-other}   from the environment, in any value; $${ stands for ${
// Maps are merged key by key, everything else is replaced.
// What is wrong inside is added to `errors`; throws Error (Exit::kUsage) for what stops the reading: a missing file, broken
// YAML, bases in a circle.
ConfigNode load_config(const std::string& path, const std::vector<std::string>& overrides, ConfigErrors& errors);

// The same, for text that is already here; bases are relative to the folder of `name`.
ConfigNode load_config_text(const std::string& text, const std::string& name, const std::vector<std::string>& overrides,
                            ConfigErrors& errors);

}  // namespace conclave
