#pragma once

#include <spdlog/spdlog.h>

#include <string>

namespace conclave::log {

// Sends messages to stderr with time and level. `role` ("trainer", "teacher rbc") is printed in each line when not
// empty. Call once, before other threads log. The level comes from CONCLAVE_LOG (trace, debug, info, warn, error), else
// info.
void start(const std::string& role = {});

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

}  // namespace conclave::log
