#include "export/verify.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <algorithm>

#include "datasets/boxes_in_image.h"
#include "datasets/view.h"

namespace conclave {
namespace {

constexpr std::size_t kImagesOfFurtherLooks = 7;
constexpr std::size_t kChunk = 16;  // images held at a time

using Detections = std::vector<std::vector<Detection>>;

// (N,H,W,3) uint8 as the exported graph takes it.
at::Tensor input_of(const at::Tensor& pixels, const ModelSpec& spec, GraphInput input) {
  if (input == GraphInput::kNormalised) return normalise(pixels, spec);
  const at::Tensor planes = pixels.permute({0, 3, 1, 2});
  return (input == GraphInput::kBgr ? planes.flip(1) : planes).contiguous();
}

void append(Detections& all, const Detections& found, const std::vector<View>& views, const Dataset& set) {
  for (std::size_t i = 0; i < views.size(); ++i) {
    const std::size_t image = views[i].key.image;
    if (image < all.size()) continue;
    const ImageEntry& entry = set.images[image];
    all.push_back(boxes_in_image(found[i], views[i], entry.width, entry.height));
  }
}

}  // namespace

Verification verify_export(Detector& source, Runtime& exported, const Dataset& set, const GraphOptions& options,
                           const std::vector<Look>& looks, bool score) {
  const torch::NoGradGuard no_grad;
  Verification result;
  result.images = static_cast<int>(set.images.size());
  result.looks = looks;
  Detections own, others;
  for (const Look& look : looks) {
    const bool first = &look == looks.data();
    const std::size_t images = first ? set.images.size() : std::min(set.images.size(), kImagesOfFurtherLooks);
    const auto batch = static_cast<std::size_t>(look.batch);
    const std::size_t chunk = batch * std::max<std::size_t>(1, kChunk / batch);
    ViewOptions drawing;
    drawing.width = look.width;
    drawing.height = look.height;
    for (std::size_t start = 0; start < images; start += chunk) {
      std::vector<View> views;
      std::vector<at::Tensor> planes;
      // A batch that the images don't fill is filled with the last of them once more.
      const std::size_t full = (std::min(chunk, images - start) + batch - 1) / batch * batch;
      for (std::size_t i = 0; i < full; ++i) {
        const std::size_t image = std::min(start + i, images - 1);
        View view = draw_view(set.images[image], {0, static_cast<std::uint32_t>(image), kPlainView}, drawing);
        planes.push_back(at::from_blob(view.pixels.data(), {view.height, view.width, 3}, at::kByte).clone());
        views.push_back(std::move(view));
      }
      const at::Tensor pixels = at::stack(planes);
      const HeadOutputs heads = source.forward(normalise(pixels, source.spec()));
      const auto outputs = exported.run(input_of(pixels, source.spec(), options.input), look.batch);
      result.agreement.add(heads, outputs, options);
      if (first && score) {
        const DecodeOptions decoding{.top_k = options.top_k};
        append(own, decode(heads, decoding), views, set);
        append(others, detections_of(outputs, options.outputs, decoding), views, set);
      }
    }
  }
  result.runtime = exported.name();
  if (score) {
    result.source_ap = coco_ap(set, own, set.labelled);
    result.ap = coco_ap(set, others, set.labelled);
  }
  return result;
}

}  // namespace conclave
