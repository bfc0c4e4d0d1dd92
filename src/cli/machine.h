#pragma once

#include <string>

namespace conclave {

// The processor's name as the kernel states it, and the logical cores that this process may use.
std::string cpu_name();
int cpu_count();

// The most memory that this process ever had resident, bytes (VmHWM); 0 where the kernel doesn't say.
double peak_memory();
// That of the largest of its child processes that have ended.
double peak_memory_of_children();

}  // namespace conclave
