#pragma once

#include <string_view>

#include "fusion/soft_targets.h"

namespace conclave {

// The targets that write_record encoded: write_record(read_record(bytes)) == bytes for every record that is accepted.
// Throws Error (where = "record") for anything else: damage, another version, positions outside the grid or not rising,
// non-finite numbers, bytes that follow. Takes memory in proportion to the bytes given, whatever they announce.
SoftTargets read_record(std::string_view bytes);

}  // namespace conclave
