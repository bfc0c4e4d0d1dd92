#pragma once

#include <string>

#include "jobs/run_files.h"

namespace conclave {

// Where one run's time went, its memory, and what its teachers sent; empty where nothing of it is known.
std::string run_speed_html(const RunRecord& record, const RunMetrics& metrics);
std::string run_wire_html(const RunRecord& record);

}  // namespace conclave
