#include "student/batch.h"

#include <algorithm>

#include "models/spec.h"

namespace conclave {
namespace {

// `live`: of classes marked pseudo nothing is taken, their boxes come from what the teachers say about this view.
std::vector<LabelBox> label_boxes(const View& view, const std::vector<ClassSource>& sources, bool live) {
  std::vector<LabelBox> boxes;
  for (const Annotation& annotation : view.annotations) {
    const ClassSource& source = sources.at(static_cast<std::size_t>(annotation.cls));
    if (!source.labels || source.background || annotation.crowd || (live && source.pseudo)) continue;
    boxes.push_back({annotation.box, annotation.cls, annotation.weight});
  }
  return boxes;
}

void add_pseudo_boxes(std::vector<LabelBox>& boxes, const JoinedView& joined,
                      const std::vector<TeacherChannels>& teachers, const std::vector<ClassSource>& sources,
                      const PseudoRule& rule) {
  const View& view = joined.view;
  const PseudoFrame frame{{}, static_cast<float>(view.width), static_cast<float>(view.height)};
  for (const Detection& detection : pseudo_boxes(joined.targets, teachers, sources, rule, frame)) {
    boxes.push_back({detection.box, detection.cls, rule.soft ? detection.score : 1});
  }
}

}  // namespace

at::Tensor stack_pixels(const std::vector<const View*>& views) {
  const View& first = *views.front();
  at::Tensor pixels = at::empty({static_cast<std::int64_t>(views.size()), first.height, first.width, 3}, at::kByte);
  std::uint8_t* out = pixels.mutable_data_ptr<std::uint8_t>();
  for (const View* view : views) out = std::copy(view->pixels.begin(), view->pixels.end(), out);
  return pixels;
}

Batch make_batch(const std::vector<JoinedView>& views, const Coverage& coverage,
                 const std::vector<TeacherChannels>& teachers, const FusionOptions& options, const PseudoRule& rule) {
  const bool live = options.method == Method::kPseudo && options.pseudo.per_view;
  const std::size_t soft = distils(options.method) ? teachers.size() : 0;  // those whose heat is learnt
  std::vector<const View*> drawn;
  std::vector<int> sets;
  std::vector<std::vector<LabelBox>> boxes;
  for (const JoinedView& joined : views) {
    drawn.push_back(&joined.view);
    sets.push_back(static_cast<int>(joined.view.key.dataset));
    const std::vector<ClassSource>& sources = coverage.at(joined.view.key.dataset);
    boxes.push_back(label_boxes(joined.view, sources, live));
    if (live) add_pseudo_boxes(boxes.back(), joined, teachers, sources, rule);
  }
  Batch batch;
  batch.images = stack_pixels(drawn);
  batch.targets = make_masks(coverage, sets, soft);
  const View& first = *drawn.front();
  batch.targets.labels = make_ground_truth(boxes, static_cast<int>(coverage.front().size()), first.height / kStride,
                                           first.width / kStride, options.min_overlap);
  for (std::size_t t = 0; t < soft; ++t) {
    std::vector<const SoftTargets*> targets;
    for (const JoinedView& joined : views) targets.push_back(&joined.targets.at(t));
    batch.targets.teachers.push_back(densify(targets));
  }
  return batch;
}

Batch to_device(Batch batch, at::Device device) {
  if (device.is_cpu()) return batch;
  const auto move = [&](at::Tensor& tensor) { tensor = tensor.to(device, /*non_blocking=*/true); };
  move(batch.images);
  GroundTruth& labels = batch.targets.labels;
  for (at::Tensor* tensor : {&labels.heat, &labels.index, &labels.cls, &labels.wh, &labels.offset}) move(*tensor);
  if (labels.weight.defined()) move(labels.weight);
  move(batch.targets.label_mask);
  for (DenseTargets& teacher : batch.targets.teachers) {
    for (at::Tensor* tensor : {&teacher.heat, &teacher.index, &teacher.wh, &teacher.offset}) move(*tensor);
  }
  for (at::Tensor& mask : batch.targets.teacher_mask) move(mask);
  return batch;
}

}  // namespace conclave
