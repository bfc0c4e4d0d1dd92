#include "fusion/teacher_boxes.h"

#include <ATen/ATen.h>

#include "fusion/constant.h"
#include "fusion/logit.h"
#include "fusion/losses.h"
#include "models/decode.h"

namespace conclave {
namespace {

// How sure the teacher is of its box, per listed cell and class: (N,K). heat (N,K): its logits there.
at::Tensor confidence(const TeacherVoice& voice, const at::Tensor& heat, const at::Tensor& index,
                      const FusionOptions& options) {
  if (options.loss == DistillLoss::kProbPeaks) return at_cells(keep_peaks(at::sigmoid(voice.heat)), index);
  return at::relu(heat - logit(effective_box_floor(options)));
}

// Its shares in the listed cells: (N,K).
at::Tensor shares_at(const std::vector<at::Tensor>& shares, const at::Tensor& index, std::int64_t cells) {
  const at::Tensor all = shares.size() == 1 ? shares.front() : at::cat(at::broadcast_tensors(shares), 1);
  if (all.size(2) * all.size(3) > 1) return at_cells(all, index);
  return all.flatten(1).index_select(0, at::floor_divide(index, cells));
}

// (N,): counts where the teacher does, both in the class whose box it is, the strongest, and in the one that it is
// surest of (prob_peaks: another one may be the peak).
at::Tensor sure_of_box(const at::Tensor& confidence, const at::Tensor& shares, const at::Tensor& strongest) {
  if (confidence.size(1) == 1) return (confidence * shares).squeeze(1);
  const auto [most, surest] = confidence.max(1, /*keepdim=*/true);
  return (most * at::minimum(shares.gather(1, surest), shares.gather(1, strongest))).squeeze(1);
}

}  // namespace

TaughtBoxes list_boxes(const std::vector<DenseTargets>& dense, const std::vector<TeacherVoice>& voices,
                       const std::vector<std::vector<at::Tensor>>& shares, const FusionOptions& options) {
  std::vector<at::Tensor> index, wh, offset, weight, cls, owner;
  for (std::size_t t = 0; t < voices.size(); ++t) {
    const TeacherVoice& voice = voices[t];
    if (voice.classes.empty()) continue;
    const at::Tensor& cells = dense[t].index;
    const at::Tensor heat = at_cells(voice.heat, cells);
    const at::Tensor strongest = heat.argmax(1, /*keepdim=*/true);
    // The box is that of the teacher's strongest class there. Where this is one that the student does not use, it has
    // nothing to say on the others.
    const at::Tensor own = (heat.amax(1) >= at_cells(dense[t].heat, cells).amax(1)).to(heat.scalar_type());
    const at::Tensor share = shares_at(shares[t], cells, voice.heat.size(2) * voice.heat.size(3));
    const at::Tensor classes =
        constant(std::vector<std::int64_t>(voice.classes.begin(), voice.classes.end()), cells.options());
    index.push_back(cells);
    wh.push_back(dense[t].wh);
    offset.push_back(dense[t].offset);
    weight.push_back(sure_of_box(confidence(voice, heat, cells, options), share, strongest) * own);
    cls.push_back(classes.index_select(0, strongest.squeeze(1)));
    owner.push_back(at::full_like(cells, static_cast<std::int64_t>(t)));
  }
  return {at::cat(index), at::cat(wh), at::cat(offset), at::cat(weight), at::cat(cls), at::cat(owner)};
}

}  // namespace conclave
