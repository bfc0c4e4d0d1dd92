#pragma once

#include <string>
#include <vector>

#include "fusion/loss_weights.h"

namespace conclave {

enum class Method {
  kLabels,      // every class must be labelled in every set
  kBackground,  // labelled classes from labels; the others are taken to be absent (what people do today; a warning)
  kIgnore,      // labelled classes from labels; the others contribute nothing
  kPseudo,      // labelled classes from labels; the others from the teachers' decoded boxes, as hard labels
  kKd,          // everything from teachers, no label is used
  kKdLabels     // labelled classes from labels (or labels and teacher); the others from teachers
};

bool needs_teachers(Method method);  // kd, kd_labels, pseudo
bool distils(Method method);         // kd, kd_labels: learns from the teachers' soft targets

// What supervises one class on the images of one set.
struct ClassSource {
  bool labels = false;        // focal loss against boxes (given ones, or pseudo boxes where `pseudo`)
  bool pseudo = false;        // the boxes come from `teachers`, decoded from what they say
  bool background = false;    // not labelled, taken as absent
  std::vector<int> teachers;  // positions in the run's list of teachers
  bool ignored() const { return !labels && teachers.empty(); }
};

// Per set (in the run's order) and class (in the student's order).
using Coverage = std::vector<std::vector<ClassSource>>;

// One set as coverage sees it.
struct CoveredSet {
  std::string name;
  std::vector<bool> labelled;  // per class
};

// One teacher as fusion sees it.
struct TeacherChannels {
  std::string name;
  std::vector<int> student_class;           // per teacher channel: position of its class in the student; -1: not used
  double weight = 1.0;                      // for Merge::kWeighted; its validation AP, say
  std::string hash = {};                    // of its weights; empty: not known here
  LossWeights loss_weight = {};             // of its terms, on top of FusionOptions::distill
  std::vector<double> channel_weight = {};  // as `weight`, per teacher channel; empty: `weight` for all
};

// Throws Error for: a class that no source covers on any set (where = the class), `labels` with an unlabelled class, a
// teacher method without teachers for an unlabelled class.  `both`: kd_labels uses labels and teacher together.
Coverage derive_coverage(Method method, bool both, const std::vector<std::string>& classes,
                         const std::vector<CoveredSet>& sets, const std::vector<TeacherChannels>& teachers);

// The table that is printed before training: a row per set, a column per class.
std::string to_text(const Coverage& coverage, const std::vector<std::string>& classes,
                    const std::vector<CoveredSet>& sets, const std::vector<TeacherChannels>& teachers);

}  // namespace conclave
