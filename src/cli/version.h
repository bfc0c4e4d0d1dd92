#pragma once

namespace conclave {

inline constexpr const char* kVersion = CONCLAVE_VERSION;

}  // namespace conclave
