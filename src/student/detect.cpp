#include "student/detect.h"

#include <ATen/ATen.h>

#include "datasets/boxes_in_image.h"
#include "student/batch.h"

namespace conclave {
namespace {

using Boxes = std::vector<std::vector<Detection>>;

// In pixels of a view of this width.
void mirror(Boxes& images, float width) {
  for (std::vector<Detection>& image : images) {
    for (Detection& detection : image) {
      const Box box = detection.box;
      detection.box.x0 = width - box.x1;
      detection.box.x1 = width - box.x0;
    }
  }
}

// Of each view, in its pixels. pixels: (B,H,W,3).
Boxes boxes_of(const RunNetwork& network, const at::Tensor& pixels, const TestTime& test_time,
               const DecodeOptions& options) {
  NetworkAnswer answer = network(pixels);
  if (!test_time.flip) return answer.boxes ? std::move(*answer.boxes) : decode(answer.heads, options);
  NetworkAnswer mirrored = network(pixels.flip(2));
  if (!answer.boxes) return decode(average_with_mirrored(answer.heads, mirrored.heads), options);
  mirror(*mirrored.boxes, static_cast<float>(pixels.size(2)));
  Boxes merged;
  for (std::size_t i = 0; i < answer.boxes->size(); ++i) {
    merged.push_back(merge_looks({answer.boxes->at(i), mirrored.boxes->at(i)}, test_time.merge));
  }
  return merged;
}

}  // namespace

Boxes detect(const RunNetwork& network, const std::vector<Sight>& sights, const TestTime& test_time,
             const DecodeOptions& options) {
  const at::NoGradGuard no_grad;
  // With several scales the threshold is for the merged score: what merges into it may be weaker.
  const bool several = test_time.scales.size() > 1;
  const DecodeOptions each{options.top_k, several ? 0.0f : options.threshold};
  std::vector<Boxes> looks(sights.size());  // per image, by scale
  for (std::size_t scale = 0; scale < test_time.scales.size(); ++scale) {
    std::vector<const View*> views;
    for (const Sight& sight : sights) views.push_back(&sight.looks.at(scale));
    const Boxes found = boxes_of(network, stack_pixels(views), test_time, each);
    for (std::size_t i = 0; i < sights.size(); ++i) {
      looks[i].push_back(boxes_in_image(found.at(i), *views[i], sights[i].width, sights[i].height));
    }
  }
  Boxes detections;
  for (Boxes& image : looks) {
    std::vector<Detection>& kept =
        detections.emplace_back(several ? merge_looks(image, test_time.merge) : std::move(image.front()));
    std::erase_if(kept, [&](const Detection& d) { return d.score < options.threshold; });
    if (kept.size() > static_cast<std::size_t>(options.top_k)) kept.resize(static_cast<std::size_t>(options.top_k));
  }
  return detections;
}

}  // namespace conclave
