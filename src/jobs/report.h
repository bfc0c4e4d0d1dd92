#pragma once

#include <filesystem>

namespace conclave {

// Reads result.json, metrics.jsonl, quality.json, config.yaml and the pictures of a run folder and writes report.html
// there: one page that needs no other file and no network. What the run did not leave is left out. Throws Error as
// read_run_record and read_run_metrics do, and when the page can't be written; an older page is then untouched.
void write_run_report(const std::filesystem::path& run_folder);

}  // namespace conclave
