#pragma once

#include <string>

namespace conclave {

extern const char* const kVersion;  // "0.1.0"

// The version and the build: "0.1.0+3f9c2a7d10be", with the first digits of the hash of this program's own file, which
// is read once, at the first call. Thread-safe.
const std::string& version_and_build();

}  // namespace conclave
