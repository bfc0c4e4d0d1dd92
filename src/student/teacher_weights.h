#pragma once

#include <optional>
#include <vector>

#include "fusion/coverage.h"
#include "ranks/process_group.h"
#include "student/options.h"

namespace conclave {

// merge: weighted (of pseudo labels: wbf), `weight: auto`: what such a teacher says about a class weighs as much as its
// AP on the class on the validation set, rounded to 1e-4 and at least 1e-4 (TeacherChannels::channel_weight; 0 for
// channels that are not used). Rank 0 runs these teachers over the set, all ranks get the weights; with another merge
// or method, or with weights given by hand, nothing is done. Throws Error: there is no validation set, it does not
// label one of the classes or shows none of it, the teacher's weights lie elsewhere.
void weigh_by_ap(const RunOptions& options, const std::optional<Dataset>& val, std::vector<TeacherChannels>& teachers,
                 ProcessGroup& ranks);

}  // namespace conclave
