#pragma once

#include <memory>
#include <string>

#include "cli/run_teachers.h"
#include "cli/worker_processes.h"
#include "ranks/process_group.h"
#include "student/options.h"
#include "teachers/target_source.h"

namespace conclave {

// The teachers' side of a run: where targets come from, and the processes behind it.
struct TeacherSide {
  std::unique_ptr<TargetSource> source;
  std::unique_ptr<WorkerProcesses> workers;  // destroyed first
};

// Before anything is written: throws Error where the method needs teachers and none are given, or where workers from
// other hosts could come and keys are missing. `config`: the file, for messages.
void check_teachers(const RunOptions& options, const std::string& config);

// Opens them: a local or remote source, behind a store where the run has one. With a remote source that spawns, rank 0
// starts the workers, whose logs lie in <run>/workers. `side`, `options`, `teachers` and `ranks` stay where they are as
// long as its source lives. Throws Error: an address that can't be bound, weights that can't be read.
void open_teachers(TeacherSide& side, const RunOptions& options, const RunTeachers& teachers, ProcessGroup& ranks);

}  // namespace conclave
