#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "fusion/box_overlap.h"
#include "fusion/coverage.h"
#include "fusion/ground_truth.h"
#include "fusion/pseudo_options.h"
#include "fusion/sparse.h"
#include "models/detector.h"

namespace conclave {

enum class DistillLoss { kQfl, kRelu, kProbPeaks, kBce };
enum class Merge { kMax, kMean, kWeighted };  // several teachers on one class

// Channel-wise distillation of the heat logits (losses.h), beside `loss`, which gives the scale that it lacks.
struct CwdOptions {
  double weight = 0;  // 0: off
  double temperature = 1;
};

// Which cells of a teacher count.
struct CellOptions {
  bool peaks = false;  // only its 3x3 peaks above 0.1 and the cells around them (false: all)
  int radius = 2;      // cells around a peak, in each direction
};

// Every term is multiplied by a factor that brings it to a set value at every step, and only its direction is left.
struct BalanceOptions {
  bool fixed_value = false;
  LossWeights value = {.heat = 1.5, .wh = 0.3, .offset = 0.1, .iou = 0.3};  // times the term's configured weight
};

struct FusionOptions {
  Method method = Method::kKd;
  bool both = true;  // kd_labels: labelled classes learn from labels and teacher (false: labels alone)
  DistillLoss loss = DistillLoss::kQfl;
  Merge merge = Merge::kMax;
  double floor = 0.05;       // probability under which a teacher's cell is dropped
  double box_floor = 0.2;    // probability from which a teacher's cell teaches its box; at least the floor
  LossWeights distill;       // of the teachers' terms; on top of the loss's own scale (default_scale)
  LossWeights label;         // of the labels' terms
  double min_overlap = 0.3;  // of the Gaussians drawn for labels
  bool norm_wh = true;       // wh errors relative to the object's mean side
  bool per_class = true;     // labels: normalise focal and box terms by each class's own objects
  PseudoOptions pseudo;      // method pseudo: how boxes become labels
  double temperature = 1;    // qfl, bce: divides the teacher's and the student's logits
  CwdOptions cwd;
  CellOptions cells;
  BoxLoss box = BoxLoss::kL1;  // giou, ciou: a term on the overlap of boxes beside L1, weighted by LossWeights::iou
  bool labels_win = false;  // kd_labels, both: where a label drew its Gaussian it alone speaks for its class, elsewhere
                            // the teachers alone
  BalanceOptions balance;
};

// Scales that make each loss train at weight 1; LossWeights multiply them. The one place that lists them is fuse.cpp.
// norm_wh: wh errors are relative to the object's side (else they are in cells, and larger).
LossWeights default_scale(DistillLoss loss, bool norm_wh);
LossWeights label_scale(bool norm_wh);

// options.floor. Throws Error where it is not in [0,1), and for relu at 0, whose zero would be -inf.
double effective_floor(const FusionOptions& options);

// The probability above which a teacher's cell teaches wh and offset: box_floor, or the floor where that is higher.
double effective_box_floor(const FusionOptions& options);

// Are the teachers asked about every view that is trained on? Methods that distil, and pseudo labels made per view.
bool asks_every_view(const FusionOptions& options);

// What a loss needs on the wire.
SparseOptions sparse_options(const FusionOptions& options);

// Everything that supervises one batch.
struct BatchTargets {
  GroundTruth labels;
  at::Tensor label_mask;                 // (B,C) float: 1 where labels supervise the class on that view
  std::vector<DenseTargets> teachers;    // in the run's order of teachers; empty when the method uses none
  std::vector<at::Tensor> teacher_mask;  // per teacher (B,C) float: 1 where it supervises the student's class
};

struct LossTerm {
  std::string name;  // "labels/heat", "rbc/wh"; heat of classes that teachers share: "a+b/heat"
  at::Tensor value;  // scalar, weighted, before any balancing; with graph
};

struct Losses {
  at::Tensor total;             // scalar, the sum of the terms, each balanced where that is asked for
  std::vector<LossTerm> terms;  // labels first, then teachers in the run's order: never arrival order
};

// Adds up tensors over all ranks that hold a part of the batch, in place and in one go: the counts that normalise the
// terms, and with balance the terms' values.
using JoinCounts = std::function<void(const std::vector<at::Tensor>& counts)>;

// The student's loss on one batch, or with `join` on one rank's part of it: the losses of all parts then add up to the
// loss of the whole batch. Pure: no state, no randomness. `teachers` names the channels of targets.teachers.
// Heads may be bfloat16 (autocast): they are converted to float first. The names and number of terms follow from the
// method and the teachers alone, so that a batch in which nothing is supervised has the same terms, all 0.
// Throws Error for targets that don't fit the heads or the teachers.
Losses fuse(const HeadOutputs& student, const BatchTargets& targets, const std::vector<TeacherChannels>& teachers,
            const FusionOptions& options, const JoinCounts& join = {});

// (B,C) masks for a batch whose view b comes from set sets[b].
BatchTargets make_masks(const Coverage& coverage, const std::vector<int>& sets, std::size_t teachers);

}  // namespace conclave
