#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "core/detection.h"
#include "datasets/dataset.h"
#include "datasets/view.h"
#include "fusion/coverage.h"
#include "ranks/process_group.h"
#include "student/options.h"
#include "teachers/target_source.h"

namespace conclave {

// Method pseudo: teachers look once at the plain view of every image of a set that needs them, and what they detect
// with at least fusion.pseudo_threshold becomes the boxes of the classes that coverage marks `pseudo`. Given boxes of
// these classes are dropped first: the set doesn't claim to hold all of them. Of several teachers' boxes of one class
// that overlap by an IoU above 0.5, the best stays.
//
// Saved to `file`; a file written there by the same sets, teachers and threshold is used again when `reuse`, and the
// source is not asked. Rank 0 does all this, the others get its boxes. Returns the number of boxes added. Throws what
// the source and the loader throw.
std::size_t add_pseudo_labels(std::vector<Dataset>& datasets, const Coverage& coverage,
                              const std::vector<TeacherChannels>& teachers, const RunOptions& options,
                              TargetSource& source, const std::filesystem::path& file, bool reuse, ProcessGroup& ranks);

// What one view's targets say, as detections in pixels of the view (cls: the student's), by falling score per teacher.
std::vector<Detection> decode_targets(const std::vector<SoftTargets>& targets,
                                      const std::vector<TeacherChannels>& teachers, float threshold);

}  // namespace conclave
