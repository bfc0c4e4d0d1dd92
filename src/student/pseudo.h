#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/detection.h"
#include "datasets/dataset.h"
#include "datasets/view.h"
#include "fusion/coverage.h"
#include "ranks/process_group.h"
#include "student/options.h"
#include "student/pseudo_boxes.h"
#include "teachers/target_source.h"

namespace conclave {

// What pseudo labels are made of (docs/pseudo_labels.md); all of it outlives the call.
struct PseudoInput {
  const RunOptions& options;
  const std::vector<Dataset>& datasets;
  const std::optional<Dataset>& val;
  const Coverage& coverage;  // of method pseudo
  const std::vector<TeacherChannels>& teachers;
};

struct PseudoLabels {
  PseudoRule rule;
  std::vector<ViewKey> images;                // plain views of every image of the sets that need teachers, in order
  std::vector<std::vector<Detection>> boxes;  // per image, in its pixels; empty where labels are made per view
};

// Throws Error where a class's threshold is neither given nor to be found: the validation set must label it and hold an
// object of it.
void check_thresholds(const PseudoInput& input);

// Everything that decides the labels, as text; equal texts, equal labels.
std::string pseudo_facts(const PseudoInput& input);

// Asks the teachers: about the plain views of the validation set for the thresholds of the best F1 (IoU 0.5, of merged
// boxes), unless one is given; then, unless labels are made per view, about those of every image that needs them.
// What was said is kept in `journal`; one there is gone on with when `reuse`, and what it holds is not asked again; one
// of other facts is then an Error and stays as it is. Shows its progress in the log. Throws what the source throws, and
// Error for a class of which the teachers find no object on the validation set; Exit::kInterrupted when
// stop_requested().
PseudoLabels make_pseudo_labels(const PseudoInput& input, TargetSource& source, const std::filesystem::path& journal,
                                bool reuse);

// The same where ranks train together: rank 0 does it, the others get what it found.
PseudoLabels make_pseudo_labels(const PseudoInput& input, TargetSource& source, const std::filesystem::path& journal,
                                bool reuse, ProcessGroup& ranks);

// The boxes become annotations of the classes that coverage marks pseudo; given ones of these classes are dropped
// first: their set doesn't claim to hold all of them. Returns the number of boxes added.
std::size_t add_pseudo_labels(std::vector<Dataset>& datasets, const Coverage& coverage, const PseudoLabels& labels);

}  // namespace conclave
