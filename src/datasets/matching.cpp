#include "datasets/matching.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "core/error.h"

namespace conclave {
namespace {

void match_image(const ImageEntry& image, std::uint32_t at, const std::vector<Detection>& found, int cls, double iou,
                 ClassMatches& matches) {
  std::vector<const Annotation*> objects;
  for (const bool crowd : {false, true}) {
    for (const Annotation& a : image.annotations) {
      if (a.cls == cls && a.crowd == crowd) objects.push_back(&a);
    }
  }
  const auto counted = static_cast<std::size_t>(
      std::count_if(objects.begin(), objects.end(), [](const Annotation* a) { return !a->crowd; }));
  matches.objects += static_cast<std::int64_t>(counted);
  std::vector<std::uint32_t> order;
  for (std::uint32_t d = 0; d < found.size(); ++d) {
    if (found[d].cls == cls) order.push_back(d);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return found[a].score > found[b].score; });
  std::vector<double> ious;
  for (const std::uint32_t d : order) {
    for (const Annotation* object : objects) ious.push_back(coco_iou(found[d].box, *object));
  }
  const std::vector<int> taken = match_greedily(ious, objects, order.size(), counted, iou);
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (taken[i] >= static_cast<int>(counted)) continue;  // in a crowd
    MatchedDetection& match = matches.detections.emplace_back();
    match.score = found[order[i]].score;
    match.image = at;
    match.position = order[i];
    match.hit = taken[i] >= 0;
    if (match.hit) match.object = objects[static_cast<std::size_t>(taken[i])] - image.annotations.data();
  }
}

}  // namespace

double coco_iou(const Box& d, const Annotation& object) {
  const Box& g = object.box;
  const double dw = static_cast<double>(d.x1) - d.x0, dh = static_cast<double>(d.y1) - d.y0;
  const double gw = static_cast<double>(g.x1) - g.x0, gh = static_cast<double>(g.y1) - g.y0;
  const double w = std::min<double>(d.x1, g.x1) - std::max<double>(d.x0, g.x0);
  const double h = std::min<double>(d.y1, g.y1) - std::max<double>(d.y0, g.y0);
  if (w <= 0 || h <= 0) return 0;
  const double shared = w * h, own = dw * dh;
  return shared / (object.crowd ? own : own + gw * gh - shared);
}

std::vector<int> match_greedily(const std::vector<double>& ious, const std::vector<const Annotation*>& objects,
                                std::size_t detections, std::size_t counted, double least) {
  std::vector<char> taken(objects.size(), 0);
  std::vector<int> matches(detections, -1);
  for (std::size_t d = 0; d < detections; ++d) {
    double best = std::min(least, 1 - 1e-10);
    int& match = matches[d];
    for (std::size_t g = 0; g < objects.size(); ++g) {
      if (taken[g] && !objects[g]->crowd) continue;
      if (match >= 0 && match < static_cast<int>(counted) && g >= counted) break;
      if (ious[d * objects.size() + g] < best) continue;
      best = ious[d * objects.size() + g];
      match = static_cast<int>(g);
    }
    if (match >= 0) taken[static_cast<std::size_t>(match)] = 1;
  }
  return matches;
}

std::vector<ClassMatches> match_detections(const Dataset& dataset,
                                           const std::vector<std::vector<Detection>>& detections, double iou) {
  if (detections.size() != dataset.images.size()) {
    throw Error("detections of " + std::to_string(detections.size()) + " images for a set of " +
                    std::to_string(dataset.images.size()),
                dataset.name);
  }
  std::vector<ClassMatches> classes(dataset.classes.size());
  for (std::size_t c = 0; c < classes.size(); ++c) {
    for (std::uint32_t i = 0; i < detections.size(); ++i) {
      match_image(dataset.images[i], i, detections[i], static_cast<int>(c), iou, classes[c]);
    }
    std::stable_sort(classes[c].detections.begin(), classes[c].detections.end(),
                     [](const MatchedDetection& a, const MatchedDetection& b) { return a.score > b.score; });
  }
  return classes;
}

}  // namespace conclave
