#include "models/box_merge.h"

#include <algorithm>

namespace conclave {
namespace {

struct Seen {
  Detection detection;
  std::size_t look = 0;
};

struct Object {
  Detection merged;
  std::vector<Seen> parts;

  bool has(std::size_t look) const {
    return std::any_of(parts.begin(), parts.end(), [&](const Seen& part) { return part.look == look; });
  }
};

void by_falling_score(std::vector<Detection>& detections) {
  std::stable_sort(detections.begin(), detections.end(),
                   [](const Detection& a, const Detection& b) { return a.score > b.score; });
}

std::vector<Seen> strongest_first(const std::vector<std::vector<Detection>>& looks) {
  std::vector<Seen> all;
  for (std::size_t look = 0; look < looks.size(); ++look) {
    for (const Detection& detection : looks[look]) all.push_back({detection, look});
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Seen& a, const Seen& b) { return a.detection.score > b.detection.score; });
  return all;
}

std::vector<Detection> nms(const std::vector<Seen>& all, double limit) {
  std::vector<Seen> kept;
  for (const Seen& seen : all) {
    const bool covered = std::any_of(kept.begin(), kept.end(), [&](const Seen& stronger) {
      return stronger.look != seen.look && stronger.detection.cls == seen.detection.cls &&
             iou(stronger.detection.box, seen.detection.box) > limit;
    });
    if (!covered) kept.push_back(seen);
  }
  std::vector<Detection> result;
  for (const Seen& seen : kept) result.push_back(seen.detection);
  return result;
}

Detection mean_of(const std::vector<Seen>& parts, std::size_t looks) {
  double sum = 0, x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  for (const Seen& part : parts) {
    const Detection& d = part.detection;
    sum += d.score;
    x0 += d.score * d.box.x0;
    y0 += d.score * d.box.y0;
    x1 += d.score * d.box.x1;
    y1 += d.score * d.box.y1;
  }
  Detection mean = parts.front().detection;
  if (parts.size() > 1 && sum > 0) {
    mean.box = {static_cast<float>(x0 / sum), static_cast<float>(y0 / sum), static_cast<float>(x1 / sum),
                static_cast<float>(y1 / sum)};
  }
  mean.score = static_cast<float>(sum / static_cast<double>(looks));
  return mean;
}

std::vector<Detection> fuse(const std::vector<Seen>& all, std::size_t looks, double limit) {
  std::vector<Object> objects;
  for (const Seen& seen : all) {
    Object* nearest = nullptr;
    double overlap = limit;
    for (Object& object : objects) {
      if (object.merged.cls != seen.detection.cls || object.has(seen.look)) continue;
      const double here = iou(object.merged.box, seen.detection.box);
      if (here > overlap) {
        overlap = here;
        nearest = &object;
      }
    }
    if (nearest == nullptr) nearest = &objects.emplace_back();
    nearest->parts.push_back(seen);
    nearest->merged = mean_of(nearest->parts, looks);
  }
  std::vector<Detection> result;
  for (const Object& object : objects) result.push_back(object.merged);
  return result;
}

}  // namespace

std::vector<Detection> merge_looks(const std::vector<std::vector<Detection>>& looks, const BoxMergeOptions& options) {
  const std::vector<Seen> all = strongest_first(looks);
  std::vector<Detection> merged =
      options.how == BoxMerge::kNms ? nms(all, options.iou) : fuse(all, looks.size(), options.iou);
  by_falling_score(merged);
  return merged;
}

}  // namespace conclave
