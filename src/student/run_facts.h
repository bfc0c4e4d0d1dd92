#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "fusion/coverage.h"
#include "student/options.h"

namespace conclave {

// Everything that decides what a training computes, as text by configuration key: seed, classes, network, views, sets
// (by content, not by place), optimizer, schedule, precision, fusion, teachers. What only decides how often or where
// something is written, or how fast it goes, is not here. Kept with checkpoints.
using RunFacts = std::map<std::string, std::string>;
RunFacts run_facts(const RunOptions& options, const std::vector<Dataset>& datasets,
                   const std::vector<TeacherChannels>& teachers, const std::optional<Dataset>& val = std::nullopt);

// How many images a set has, and a hash of their names and boxes; not where they lie.
std::string content_of(const Dataset& dataset);

// Throws Error (where) that names what differs between the run that wrote a checkpoint and the one that continues it.
void check_same_run(const RunFacts& saved, const RunFacts& now, const std::string& where);

}  // namespace conclave
