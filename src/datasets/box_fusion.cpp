#include "datasets/box_fusion.h"

#include <algorithm>
#include <string>

#include "core/error.h"

namespace conclave {
namespace {

void by_falling_score(std::vector<Detection>& detections) {
  std::stable_sort(detections.begin(), detections.end(),
                   [](const Detection& a, const Detection& b) { return a.score > b.score; });
}

struct Cluster {
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0, scores = 0;  // sums over its boxes, weighted by their scores
  int boxes = 0;
  Detection fused;

  void add(const Detection& detection, double score) {
    x0 += score * detection.box.x0;
    y0 += score * detection.box.y0;
    x1 += score * detection.box.x1;
    y1 += score * detection.box.y1;
    scores += score;
    ++boxes;
    fused.cls = detection.cls;
    const auto mean = [this](double sum) { return static_cast<float>(sum / scores); };
    fused.box = boxes == 1 ? detection.box : Box{mean(x0), mean(y0), mean(x1), mean(y1)};
  }
};

double sum_of(const std::vector<double>& weights, std::size_t models) {
  double sum = 0;
  bool negative = false;
  for (const double weight : weights) {
    sum += weight;
    negative = negative || weight < 0;
  }
  if (weights.size() != models || negative || !(sum > 0)) {
    throw Error("weighted box fusion wants one weight per model, none below 0 and one above", "teachers",
                "set teachers' `weight`", Exit::kUsage);
  }
  return sum;
}

}  // namespace

std::vector<Detection> suppress(std::vector<Detection> detections, double limit) {
  by_falling_score(detections);
  std::vector<Detection> kept;
  for (const Detection& detection : detections) {
    const bool covered = std::any_of(kept.begin(), kept.end(), [&](const Detection& better) {
      return better.cls == detection.cls && iou(better.box, detection.box) > limit;
    });
    if (!covered) kept.push_back(detection);
  }
  return kept;
}

std::vector<Detection> fuse_boxes(const std::vector<std::vector<Detection>>& models, const std::vector<double>& weights,
                                  double limit) {
  const double all_weights = sum_of(weights, models.size());
  struct Weighed {
    Detection detection;
    double score;
  };
  std::vector<Weighed> boxes;
  for (std::size_t m = 0; m < models.size(); ++m) {
    for (const Detection& detection : models[m]) {
      const double score = detection.score * weights[m];
      if (score > 0 && detection.box.area() > 0) boxes.push_back({detection, score});
    }
  }
  std::stable_sort(boxes.begin(), boxes.end(), [](const Weighed& a, const Weighed& b) { return a.score > b.score; });

  std::vector<Cluster> clusters;
  for (const auto& [detection, score] : boxes) {
    Cluster* own = nullptr;
    double best = limit;
    for (Cluster& cluster : clusters) {
      const double overlap = iou(cluster.fused.box, detection.box);
      if (overlap <= best) continue;
      best = overlap;
      own = &cluster;
    }
    if (own == nullptr) own = &clusters.emplace_back();
    own->add(detection, score);
  }
  std::vector<Detection> fused;
  for (const Cluster& cluster : clusters) {
    const auto agreeing =
        static_cast<double>(std::min<std::size_t>(static_cast<std::size_t>(cluster.boxes), models.size()));
    fused.push_back(cluster.fused);
    fused.back().score = static_cast<float>(cluster.scores / cluster.boxes * agreeing / all_weights);
  }
  by_falling_score(fused);
  return fused;
}

}  // namespace conclave
