#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fusion/coverage.h"
#include "fusion/ground_truth.h"
#include "fusion/sparse.h"
#include "models/detector.h"

namespace conclave {

enum class DistillLoss { kQfl, kRelu, kProbPeaks, kBce };
enum class Merge { kMax, kMean, kWeighted };  // several teachers on one class

struct LossWeights {
  double heat = 1.0;
  double wh = 1.0;
  double offset = 1.0;
};

struct FusionOptions {
  Method method = Method::kKd;
  bool both = true;                    // kd_labels: labelled classes learn from labels and teacher (false: labels alone)
  DistillLoss loss = DistillLoss::kQfl;
  Merge merge = Merge::kMax;
  double floor = -1;                   // probability under which a teacher's cell is dropped; < 0: the loss's own default
  LossWeights distill;                 // of the teachers' terms; on top of the loss's own scale (default_scale)
  LossWeights label;                   // of the labels' terms
  double min_overlap = 0.3;            // of the Gaussians drawn for labels
  bool norm_wh = true;                 // wh errors relative to the object's mean side
  bool per_class = true;               // labels: normalise focal and box terms by each class's own objects
  double pseudo_threshold = 0.3;       // score from which a decoded box becomes a pseudo label
};

// What a loss needs on the wire.
SparseOptions sparse_options(const FusionOptions& options);

// Everything that supervises one batch.
struct BatchTargets {
  GroundTruth labels;
  at::Tensor label_mask;                  // (B,C) float: 1 where labels supervise the class on that view
  std::vector<DenseTargets> teachers;     // in the run's order of teachers; empty when the method uses none
  std::vector<at::Tensor> teacher_mask;   // per teacher (B,C) float: 1 where it supervises the student's class
};

struct LossTerm {
  std::string name;   // "labels/heat", "rbc/wh"
  at::Tensor value;   // scalar, weighted; with graph
};

struct Losses {
  at::Tensor total;             // scalar, the sum of the terms in their order
  std::vector<LossTerm> terms;  // labels first, then teachers in the run's order: never arrival order
};

// The student's loss on one batch. Pure: no state, no randomness. `teachers` names the channels of targets.teachers.
Losses fuse(const HeadOutputs& student, const BatchTargets& targets, const std::vector<TeacherChannels>& teachers,
            const FusionOptions& options);

// (B,C) masks for a batch whose view b comes from set sets[b].
BatchTargets make_masks(const Coverage& coverage, const std::vector<int>& sets, std::size_t teachers);

}  // namespace conclave
