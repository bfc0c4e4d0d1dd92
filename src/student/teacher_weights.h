#pragma once

#include <optional>
#include <vector>

#include "fusion/coverage.h"
#include "ranks/process_group.h"
#include "student/options.h"

namespace conclave {

// merge: weighted (of pseudo labels: wbf): is there what the weights need? Throws Error (Exit::kUsage): the weights of
// a class's teachers sum to 0; or one is `auto` and there is no validation set, it does not label one of the teacher's
// classes or shows none of it, or the teacher's weights file lies elsewhere. With another merge or method nothing is
// looked at.
void check_weights(const RunOptions& options, const std::optional<Dataset>& val,
                   const std::vector<TeacherChannels>& teachers);

// `weight: auto`: what such a teacher says about a class weighs as much as its AP on the class on the validation set,
// rounded to 1e-4 and at least 1e-4 (TeacherChannels::channel_weight; 0 for channels that are not used). Rank 0 runs
// these teachers over the set, all ranks get the weights; with another merge or method, or with weights given by hand,
// nothing is done. REQUIRES: check_weights found nothing.
void weigh_by_ap(const RunOptions& options, const std::optional<Dataset>& val, std::vector<TeacherChannels>& teachers,
                 ProcessGroup& ranks);

}  // namespace conclave
