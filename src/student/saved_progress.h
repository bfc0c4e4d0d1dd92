#pragma once

#include <cstdint>
#include <string>

#include "student/run_facts.h"
#include "student/step_rates.h"

namespace conclave {

// What a checkpoint's metadata holds beside the facts of its run.
struct SavedProgress {
  std::int64_t evaluated = 0;  // the step of the newest evaluation
  std::string validation;      // content of the set by which the best weights were chosen; empty: not said
  TimeSpent spent;             // up to the checkpoint
};

void put_progress(const SavedProgress& progress, RunFacts& metadata);

// Throws Error (where) that names what differs when the checkpoint is of a run with other facts.
SavedProgress take_progress(RunFacts metadata, const RunFacts& facts, const std::string& where);

}  // namespace conclave
