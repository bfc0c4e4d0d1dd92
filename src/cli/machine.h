#pragma once

#include <string>

namespace conclave {

// The processor's name as the kernel states it, and the logical cores that this process may use.
std::string cpu_name();
int cpu_count();

}  // namespace conclave
