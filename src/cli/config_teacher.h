#pragma once

#include <string>

#include "core/config_table.h"
#include "student/options.h"

namespace conclave {

// Binds the keys of a teacher's `format`.
void bind_format(ConfigTable& table, TeacherFormat& format);

// A teacher by itself, as `conclave teach --teacher` reads it: name, weights, classes, format, with the meaning that
// they have in a run's configuration; a relative weights path starts at the file's own folder. Throws Error
// (Exit::kUsage) that lists everything wrong with it.
TeacherOptions read_teacher_file(const std::string& path);

// The same as YAML, the weights' path absolute.
std::string teacher_file_text(const TeacherOptions& teacher);

}  // namespace conclave
