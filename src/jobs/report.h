#pragma once

#include <filesystem>
#include <string>

#include "jobs/run_files.h"

namespace conclave {

// Reads result.json, metrics.jsonl, config.yaml and the pictures of a run folder and writes report.html there: one page
// that needs no other file and no network. What the run did not leave is left out. Throws Error as read_run_record and
// read_run_metrics do, and when the page can't be written; an older page is then untouched.
void write_run_report(const std::filesystem::path& run_folder);

// One sentence about the student against its teachers (or alone, where there are none), from the numbers of `record`
// only; plain text, empty without a student. Where several teachers know a class, the one with the highest AP50 counts.
std::string verdict(const RunRecord& record);

// Rows (class, teacher) with AP, AP50 and what the student keeps of them, in the order of record.classes.
std::string comparison_table_html(const RunRecord& record);

}  // namespace conclave
