#pragma once

#include <string>
#include <vector>

#include "fusion/coverage.h"
#include "student/options.h"
#include "teachers/remote_source.h"

namespace conclave {

// What is known of a run's teachers before any of them has spoken, one entry per teacher in the run's order.
struct RunTeachers {
  std::vector<TeacherChannels> channels;  // how their classes map to the student's
  std::vector<ExpectedTeacher> expected;  // what a worker must announce
};

// Where the teacher's classes go. Throws Error naming the teacher for a class that the student does not have, and for a
// map of one that the teacher does not have.
TeacherChannels map_classes(const TeacherOptions& teacher, const std::vector<std::string>& own,
                            const std::vector<std::string>& student);

// Reads each teacher's classes and hash from its weights (or its classes from the configuration, where the weights are
// only on the workers' hosts). Somebody else's network is run once, so that a wrong description is found here. Throws
// Error naming the teacher for: weights that can't be read or are not a detector's, classes that differ from the
// configured ones, a class that the student does not have.
RunTeachers read_teachers(const RunOptions& options);

}  // namespace conclave
