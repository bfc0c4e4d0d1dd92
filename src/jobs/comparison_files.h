#pragma once

#include <filesystem>
#include <string>

#include "jobs/comparison.h"

namespace conclave {

// The results of a comparison for other programs. REQUIRES: summarise() was called.

// Everything: runs, statistics, verdicts. AP and shares in [0,1]; null: not known.
std::string comparison_json(const Comparison& comparison);

// A row per finished run and class, and one with the class "all": method,seed,class,ap,ap50,ap75,seconds,
// images_per_second,images (seen in training). Words with a comma or a quote are quoted (RFC 4180).
std::string comparison_csv(const Comparison& comparison);

// Writes results.json, results.csv, report.md and report.html into the folder, each atomically.
void write_comparison(const Comparison& comparison, const std::filesystem::path& folder);

}  // namespace conclave
