#pragma once

#include <string>
#include <vector>

#include "cli/run_teachers.h"
#include "student/options.h"
#include "student/trainer.h"

namespace conclave {

// After training: measures the best student, and every teacher whose weights are here, on the held-out set; prints the
// table to stdout and writes into the run folder: result.json, quality.json (run_quality.h), detections.json (the
// student's, as COCO results), pictures/ and report.html.
void write_run_result(const RunOptions& options, const RunTeachers& teachers, const Trainer& trainer,
                      const RunResult& trained);

}  // namespace conclave
