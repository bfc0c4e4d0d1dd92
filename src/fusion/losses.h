#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "fusion/ground_truth.h"

// One function per formula; each states its normaliser. Differentiable in the student's tensors (plain autograd,
// nothing detached); targets carry no graph. Tensors that meet share dtype and device. mask is 1 where class c of view
// b is supervised, (B,C), or cell by cell (B,C,H,W): elsewhere value and gradient are exactly 0. z are logits, p =
// sigmoid(z); Σ runs over supervised cells.
namespace conclave {

// A sum over the batch and what divides it. The divisor follows from the targets alone and carries no graph. Where
// ranks hold parts of one batch, `count` is summed over them before it divides: their values then add up to the whole
// batch's.
struct Quotient {
  enum class Divisor { kAtLeastOne, kPlusEpsilon };  // max(1, count); count + 1e-4

  at::Tensor sum;    // scalar, or one per class (C,), or per teacher and class (T*C,)
  at::Tensor count;  // of the same shape; nobody else's storage
  Divisor divisor;
  // Of how many views sum and count are made, and how many the batch has: of the same shape, summed over ranks too.
  // The count, once it is at least one, is scaled up to the whole batch, count * views / heard, so that a supervised
  // view weighs the same whatever lies beside it, and one without objects too. Undefined: all views.
  at::Tensor heard = {}, views = {};

  at::Tensor divided_by() const;
  at::Tensor value() const;  // sum / divided_by()

  // What ranks add up before they divide.
  std::vector<at::Tensor> counts() const;

  // The same, made of the views of a mask (B,C) that is 1 where class c is supervised on view b. For quotients of shape
  // (C,), or of shape (T*C,) with a mask (B,T*C).
  Quotient of_views(const at::Tensor& mask) const;

  // Each group of classes as one: the sums of their sums and of their counts, (G,). group (C,) int64. Of means per
  // class it makes the mean over all cells of those classes.
  Quotient joined(const at::Tensor& group, std::int64_t groups) const;
};

// The sums of the values, (N,), of each group: (G,). group (N,) int64. A value that is not finite shows in its own
// group alone. The order of additions is fixed (on CUDA where deterministic algorithms are asked for).
at::Tensor sum_per_group(const at::Tensor& values, const at::Tensor& group, std::int64_t groups);

// ---- Labels -------------------------------------------------------------------------------------------------------

// Focal loss of CenterNet (Zhou et al. 2019, eq. 1), alpha = 2, beta = 4, from logits, per class: (C,).
//   class c = -sum over cells of  heat == 1: (1-p)^2 log p;  else: (1-heat)^4 p^2 log(1-p),  divided by max(1, n_c)
// with n_c the centres of class c in the batch. Where objects have weights, a centre's cell is multiplied by the
// largest of its objects'; n_c counts centres still, so that doubtful ones make nothing else louder.
Quotient focal_per_class(const at::Tensor& logits, const GroundTruth& truth, const at::Tensor& mask);

// The same sum over all classes divided by the number of all centres (not normalised when there are none); matches
// centerX. An undefined mask means that everything is supervised.
Quotient focal_joint(const at::Tensor& logits, const at::Tensor& heat, const at::Tensor& mask = {},
                     const at::Tensor& centre_weight = {});

// The weights of the objects' centres, (B,C,H,W), 0 elsewhere; undefined where all objects weigh 1.
at::Tensor centre_weights(const GroundTruth& truth);

// The head's values in the cells b * H * W + y * W + x that `index` lists, (N,) int64: (N,K) for (B,K,H,W).
at::Tensor at_cells(const at::Tensor& head, const at::Tensor& index);

// Each box's own (w, h), (N,2), of wh at its cell: (N,2), or with a pair per class (N,2C). cls (N,) int64.
at::Tensor pair_of_class(const at::Tensor& wh, const at::Tensor& cls);

// 1 for every object whose class is supervised on its view, else 0: (N,).
at::Tensor supervised_objects(const GroundTruth& truth, const at::Tensor& mask, std::int64_t cells);

// Any error per object (N,), times the object's weight where it has one, per class: (C,). counted (N,): 1 where the
// object is supervised, else 0.
//   class c = sum over its objects of the error, divided by max(1, its objects)
Quotient objects_per_class(const at::Tensor& error, const at::Tensor& counted, const at::Tensor& cls,
                           std::int64_t classes);

// The sum over all supervised objects divided by their number + 1e-4: a scalar.
Quotient objects_joint(const at::Tensor& error, const at::Tensor& counted);

// L1 (Zhou et al. 2019, eq. 2 and 3): (|d_0| + |d_1|) / side per object, (N,). predicted, target (N,2); side (N,) or
// undefined: what the error is divided by.
at::Tensor l1_error(const at::Tensor& predicted, const at::Tensor& target, const at::Tensor& side);

// The sum of l1_error over all supervised objects divided by 2 N + 1e-4, N their number; matches centerX (whose
// division by the side sums over boxes by mistake and is not copied).
Quotient l1_joint(const at::Tensor& error, const at::Tensor& counted);

// ---- Distillation: heat. Student and teacher (B,C,H,W); a teacher's logit may be -inf (probability 0) -------------

// Σ p_t over the teacher's 3x3 peaks above 0.1, per class: (C,). How much object there is, softly counted.
at::Tensor peak_mass(const at::Tensor& p_teacher, const at::Tensor& mask);

// Quality focal loss (Li et al. 2020, Generalized Focal Loss, eq. 4, beta = 2) against the teacher's probability:
//   class c = T^2 Σ |p_t - p_S|^2 BCE(z_S / T, p_t) / max(1, peak mass),  p = sigmoid(z / T);  (C,).
// The gradient flows through the modulating factor too, as in the paper's reference implementation. The temperature T
// softens both sides; T^2 keeps the size of the gradients (Hinton et al. 2015, Distilling the Knowledge in a Neural
// Network, section 2). The peak mass is that at T = 1: it counts objects, which T does not change. A teacher's logit of
// -inf stays probability 0 at every T.
Quotient quality_focal(const at::Tensor& logits, const at::Tensor& teacher, const at::Tensor& mask,
                       double temperature = 1);

// Binary cross-entropy against the teacher's probability: class c = T^2 Σ BCE(z_S / T, sigmoid(z_t / T)) / max(1, peak
// mass);  (C,). T and the peak mass as above.
Quotient cross_entropy(const at::Tensor& logits, const at::Tensor& teacher, const at::Tensor& mask,
                       double temperature = 1);

// The published ReLU loss made one-sided, so that it can learn. With z_0 the logit of `floor` (0.5: z_0 = 0):
//   class c = mean over supervised cells of  z_t > z_0: (z_S - z_t)^2;  else: relu(z_S - z_0)^2;  (C,).
// A ReLU on the student's side as well gives no gradient wherever z_S < z_0, which is everywhere in a fresh student.
Quotient one_sided_relu(const at::Tensor& logits, const at::Tensor& teacher, const at::Tensor& mask, double floor);

// Per class, the mean over supervised cells of (p_S - p_t)^2: (C,); both are probabilities here. Matches centerX.
Quotient mean_squared_error(const at::Tensor& p_student, const at::Tensor& p_teacher, const at::Tensor& mask);

// Channel-wise distillation (Shu et al. 2021, Channel-wise Knowledge Distillation for Dense Prediction, eq. 3 and 4): a
// channel's logits over the cells of a view as a distribution, phi(z) = softmax over cells of z / T.
//   class c = T^2 Σ over views of KL(phi(z_t) || phi(z_S)), divided by max(1, supervised views);  (C,).
// It sees no shift: z_S + a constant gives the same value, so it needs another loss beside it for the scale. `floor` is
// the probability under which a teacher's cells were dropped. Such a cell counts as logit(floor), the most that it may
// have been, and there the student's logit is taken to be no lower than that: background that both sides agree on is
// flat, wherever below the floor the student put it. A floor under 1e-4 counts as 1e-4. Cells that are not supervised
// are left out of both distributions.
Quotient channel_wise(const at::Tensor& logits, const at::Tensor& teacher, const at::Tensor& mask, double floor,
                      double temperature);

// Which cells lie at most `radius` cells, in each direction, from one of the 3x3 peaks above 0.1: (B,C,H,W), 1 or 0.
at::Tensor near_peaks(const at::Tensor& p_teacher, int radius);

// ---- Distillation: wh and offset ----------------------------------------------------------------------------------

// Any error of the teachers' boxes (N,), per teacher and class: (T*C,), teacher by teacher. weight (N,): how sure the
// teacher is of the box, times its share of it; cls, teacher (N,) int64: of which class and whose it is. With l1_error
// and one teacher of one class matches centerX.
//   teacher t, class c = Σ w error over its boxes of c / (Σ w over all teachers' boxes of c + 1e-4)
// so that the values of teachers that share a class are parts of one weighted mean, and each class of a teacher is as
// loud as if it were the only one.
Quotient boxes_per_class(const at::Tensor& error, const at::Tensor& weight, const at::Tensor& cls,
                         const at::Tensor& teacher, std::int64_t teachers, std::int64_t classes);

// Mean side (w + h) / 2 of the boxes in wh (…,2,…: dimension `dim`), cells, floored at one cell; `dim` is kept as 1.
at::Tensor mean_side(const at::Tensor& wh, std::int64_t dim);

}  // namespace conclave
