#pragma once

#include <optional>

namespace conclave {

// What becomes of several boxes on one object (datasets/box_fusion.h).
enum class PseudoMerge {
  kNms,  // the best one stays
  kWbf   // several teachers' boxes are averaged by weighted box fusion; a class with one teacher: as kNms
};

// The lowest threshold that is looked for where none is given.
inline constexpr double kLeastPseudoScore = 0.05;

// Method pseudo: how the teachers' boxes become labels (docs/pseudo_labels.md).
struct PseudoOptions {
  bool per_view = false;            // false: once, on the plain view of each image; true: anew on every augmented view
  std::optional<double> threshold;  // score from which a box is a label; none: per class the one of the best F1 on the
                                    // validation set
  bool soft = false;                // a box's score weighs its focal and box terms; false: all count alike
  PseudoMerge merge = PseudoMerge::kNms;
};

}  // namespace conclave
