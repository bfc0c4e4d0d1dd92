#pragma once

#include <string>
#include <vector>

#include "jobs/run_files.h"

namespace conclave {

// Every class that the record speaks of: its own order first, then the others by name.
std::vector<std::string> classes_of(const RunRecord& record);

// One sentence about the student against its teachers (or alone, where there are none), from the numbers of `record`
// only; plain text, empty without a student. Where several teachers know a class, the one with the highest AP50 counts.
std::string verdict(const RunRecord& record);

// Rows (class, teacher) with AP, AP50 and what the student keeps of them, in the order of record.classes. Empty without
// a student.
std::string teacher_table_html(const RunRecord& record);

}  // namespace conclave
