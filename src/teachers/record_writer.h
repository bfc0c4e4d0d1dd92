#pragma once

#include <string>

#include "fusion/soft_targets.h"

namespace conclave {

// The bytes of one record (PROTOCOL.md). Equal targets give equal bytes. Throws Error for targets that break their own
// rules: a grid or channel count out of range, cells that don't rise or lie outside, counts that differ, non-finite
// numbers.
std::string write_record(const SoftTargets& targets);

}  // namespace conclave
