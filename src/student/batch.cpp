#include "student/batch.h"

#include <algorithm>

#include "models/spec.h"

namespace conclave {
namespace {

std::vector<LabelBox> label_boxes(const View& view, const std::vector<ClassSource>& sources) {
  std::vector<LabelBox> boxes;
  for (const Annotation& annotation : view.annotations) {
    const ClassSource& source = sources.at(static_cast<std::size_t>(annotation.cls));
    if (source.labels && !source.background && !annotation.crowd) boxes.push_back({annotation.box, annotation.cls});
  }
  return boxes;
}

}  // namespace

at::Tensor stack_pixels(const std::vector<const View*>& views) {
  const View& first = *views.front();
  at::Tensor pixels = at::empty({static_cast<std::int64_t>(views.size()), first.height, first.width, 3}, at::kByte);
  std::uint8_t* out = pixels.mutable_data_ptr<std::uint8_t>();
  for (const View* view : views) out = std::copy(view->pixels.begin(), view->pixels.end(), out);
  return pixels;
}

Batch make_batch(const std::vector<JoinedView>& views, const Coverage& coverage, std::size_t teachers,
                 const FusionOptions& options) {
  std::vector<const View*> drawn;
  std::vector<int> sets;
  std::vector<std::vector<LabelBox>> boxes;
  for (const JoinedView& joined : views) {
    drawn.push_back(&joined.view);
    sets.push_back(static_cast<int>(joined.view.key.dataset));
    boxes.push_back(label_boxes(joined.view, coverage.at(joined.view.key.dataset)));
  }
  Batch batch;
  batch.images = stack_pixels(drawn);
  batch.targets = make_masks(coverage, sets, teachers);
  const View& first = *drawn.front();
  batch.targets.labels = make_ground_truth(boxes, static_cast<int>(coverage.front().size()), first.height / kStride,
                                           first.width / kStride, options.min_overlap);
  for (std::size_t t = 0; t < teachers; ++t) {
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
  move(batch.targets.label_mask);
  for (DenseTargets& teacher : batch.targets.teachers) {
    for (at::Tensor* tensor : {&teacher.heat, &teacher.wh, &teacher.offset, &teacher.box}) move(*tensor);
  }
  for (at::Tensor& mask : batch.targets.teacher_mask) move(mask);
  return batch;
}

}  // namespace conclave
