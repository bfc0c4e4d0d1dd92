#include "datasets/coco_ap.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "datasets/matching.h"

namespace conclave {
namespace {

constexpr int kThresholds = 10, kRecallPoints = 101, kAreas = 4, kLimits = 3;
constexpr std::array<int, kLimits> kMaxDetections = {1, 10, 100};
constexpr double kAreaRange[kAreas][2] = {{0, 1e10}, {0, 32.0 * 32}, {32.0 * 32, 96.0 * 96}, {96.0 * 96, 1e10}};
enum Area { kAll, kSmall, kMedium, kLarge };

// numpy.linspace(.5, .95, 10) and linspace(0, 1, 101): start + i * step, in double, the end exact.
std::array<double, kThresholds> iou_thresholds() {
  std::array<double, kThresholds> t{};
  for (int i = 0; i < kThresholds; ++i) t[i] = 0.5 + i * ((0.95 - 0.5) / (kThresholds - 1));
  t[kThresholds - 1] = 0.95;
  return t;
}

std::array<double, kRecallPoints> recall_points() {
  std::array<double, kRecallPoints> r{};
  for (int i = 0; i < kRecallPoints; ++i) r[i] = i * (1.0 / (kRecallPoints - 1));
  return r;
}

// What became of one image's detections of one class within one area range: per threshold, in order of score.
struct Matches {
  std::vector<float> scores;
  std::array<std::vector<char>, kThresholds> matched, ignored;
  int positives = 0;  // ground truth that counts
};

// One image and class, sorted once and matched for each area range.
class ImageMatcher {
 public:
  ImageMatcher(const ImageEntry& image, const std::vector<Detection>& detections, int cls) {
    for (const Annotation& a : image.annotations) {
      if (a.cls == cls) truth_.push_back(&a);
    }
    for (const Detection& d : detections) {
      if (d.cls == cls) detections_.push_back(&d);
    }
    std::stable_sort(detections_.begin(), detections_.end(),
                     [](const Detection* a, const Detection* b) { return a->score > b->score; });
    detections_.resize(std::min<std::size_t>(detections_.size(), kMaxDetections.back()));
  }

  bool empty() const { return truth_.empty() && detections_.empty(); }

  Matches match(const double (&range)[2], const std::array<double, kThresholds>& thresholds) const {
    // Counted objects first, ignored ones after them, otherwise in their order.
    std::vector<const Annotation*> truth;
    for (const Annotation* a : truth_) {
      if (!is_ignored(*a, range)) truth.push_back(a);
    }
    Matches m;
    m.positives = static_cast<int>(truth.size());
    for (const Annotation* a : truth_) {
      if (is_ignored(*a, range)) truth.push_back(a);
    }
    std::vector<double> ious(detections_.size() * truth.size());
    for (std::size_t d = 0; d < detections_.size(); ++d) {
      m.scores.push_back(detections_[d]->score);
      for (std::size_t g = 0; g < truth.size(); ++g)
        ious[d * truth.size() + g] = coco_iou(detections_[d]->box, *truth[g]);
    }
    for (int t = 0; t < kThresholds; ++t) match_at(t, thresholds[t], range, truth, ious, m);
    return m;
  }

 private:
  static bool is_ignored(const Annotation& a, const double (&range)[2]) {
    return a.crowd || a.area < range[0] || a.area > range[1];
  }

  void match_at(int t, double threshold, const double (&range)[2], const std::vector<const Annotation*>& truth,
                const std::vector<double>& ious, Matches& m) const {
    const std::vector<int> objects =
        match_greedily(ious, truth, detections_.size(), static_cast<std::size_t>(m.positives), threshold);
    for (std::size_t d = 0; d < detections_.size(); ++d) {
      bool ignore = objects[d] >= m.positives;
      if (objects[d] < 0) {
        const Box& box = detections_[d]->box;
        const double area = (static_cast<double>(box.x1) - box.x0) * (static_cast<double>(box.y1) - box.y0);
        ignore = area < range[0] || area > range[1];
      }
      m.matched[t].push_back(objects[d] >= 0);
      m.ignored[t].push_back(ignore);
    }
  }

  std::vector<const Annotation*> truth_;
  std::vector<const Detection*> detections_;
};

struct Curve {
  double precision = -1;  // mean over the recall points
  double recall = -1;     // at the end
};

struct Order {
  std::uint32_t image, rank;
  float score;
};

// cocoeval.py, accumulate, for one threshold: precision made monotonic, read at the recall points.
Curve curve_at(int t, const std::vector<Matches>& images, const std::vector<Order>& order, int positives,
               const std::array<double, kRecallPoints>& points) {
  std::vector<double> recall, precision;
  double hits = 0, misses = 0;
  for (const Order& o : order) {
    const Matches& m = images[o.image];
    if (!m.ignored[t][o.rank]) (m.matched[t][o.rank] ? hits : misses) += 1;
    recall.push_back(hits / positives);
    precision.push_back(hits / (misses + hits + std::numeric_limits<double>::epsilon()));
  }
  for (std::size_t i = precision.size(); i-- > 1;) precision[i - 1] = std::max(precision[i - 1], precision[i]);
  Curve curve{0, recall.empty() ? 0 : recall.back()};
  for (const double point : points) {
    const auto at = std::lower_bound(recall.begin(), recall.end(), point) - recall.begin();
    if (at < static_cast<std::ptrdiff_t>(precision.size())) curve.precision += precision[at];
  }
  curve.precision /= kRecallPoints;
  return curve;
}

// All curves of one class: [area][limit][threshold]; -1 without ground truth.
struct ClassCurves {
  Curve curve[kAreas][kLimits][kThresholds];

  // pycocotools averages over every threshold, recall point and class that has a value.
  double precision(int area, int t0, int t1) const {
    double sum = 0;
    for (int t = t0; t < t1; ++t) sum += curve[area][kLimits - 1][t].precision;
    return sum / (t1 - t0);
  }
  double recall(int area, int limit) const {
    double sum = 0;
    for (int t = 0; t < kThresholds; ++t) sum += curve[area][limit][t].recall;
    return sum / kThresholds;
  }
};

ClassCurves curves_of(const Dataset& dataset, const std::vector<std::vector<Detection>>& detections, int cls) {
  static const auto thresholds = iou_thresholds();
  static const auto points = recall_points();
  // Equal scores of different images keep the order of the image ids.
  std::vector<std::size_t> images_by_id(dataset.images.size());
  std::iota(images_by_id.begin(), images_by_id.end(), 0);
  std::stable_sort(images_by_id.begin(), images_by_id.end(),
                   [&](std::size_t a, std::size_t b) { return dataset.images[a].id < dataset.images[b].id; });
  std::vector<ImageMatcher> matchers;
  for (const std::size_t i : images_by_id) {
    ImageMatcher matcher(dataset.images[i], detections[i], cls);
    if (!matcher.empty()) matchers.push_back(std::move(matcher));
  }
  ClassCurves curves;
  for (int area = 0; area < kAreas; ++area) {
    std::vector<Matches> images;
    int positives = 0;
    for (const ImageMatcher& matcher : matchers) {
      images.push_back(matcher.match(kAreaRange[area], thresholds));
      positives += images.back().positives;
    }
    if (positives == 0) continue;
    for (int limit = 0; limit < kLimits; ++limit) {
      std::vector<Order> order;
      for (std::uint32_t i = 0; i < images.size(); ++i) {
        const std::size_t count = std::min<std::size_t>(images[i].scores.size(), kMaxDetections[limit]);
        for (std::uint32_t r = 0; r < count; ++r) order.push_back({i, r, images[i].scores[r]});
      }
      std::stable_sort(order.begin(), order.end(), [](const Order& a, const Order& b) { return a.score > b.score; });
      for (int t = 0; t < kThresholds; ++t)
        curves.curve[area][limit][t] = curve_at(t, images, order, positives, points);
    }
  }
  return curves;
}

ApSummary summary_of(const ClassCurves& c) {
  ApSummary s;
  s.ap = c.precision(kAll, 0, kThresholds);
  s.ap50 = c.precision(kAll, 0, 1);
  s.ap75 = c.precision(kAll, 5, 6);
  s.ap_small = c.precision(kSmall, 0, kThresholds);
  s.ap_medium = c.precision(kMedium, 0, kThresholds);
  s.ap_large = c.precision(kLarge, 0, kThresholds);
  s.ar1 = c.recall(kAll, 0);
  s.ar10 = c.recall(kAll, 1);
  s.ar100 = c.recall(kAll, 2);
  s.ar_small = c.recall(kSmall, 2);
  s.ar_medium = c.recall(kMedium, 2);
  s.ar_large = c.recall(kLarge, 2);
  return s;
}

// Over the classes that have ground truth for the number in question.
ApSummary mean_of(const std::vector<ApSummary>& classes) {
  static constexpr double ApSummary::*kFields[] = {&ApSummary::ap,       &ApSummary::ap50,      &ApSummary::ap75,
                                                   &ApSummary::ap_small, &ApSummary::ap_medium, &ApSummary::ap_large,
                                                   &ApSummary::ar1,      &ApSummary::ar10,      &ApSummary::ar100,
                                                   &ApSummary::ar_small, &ApSummary::ar_medium, &ApSummary::ar_large};
  ApSummary mean;
  for (const auto field : kFields) {
    double sum = 0;
    int count = 0;
    for (const ApSummary& c : classes) {
      if (c.*field < 0) continue;
      sum += c.*field;
      ++count;
    }
    mean.*field = count == 0 ? -1 : sum / count;
  }
  return mean;
}

}  // namespace

ApResult coco_ap(const Dataset& dataset, const std::vector<std::vector<Detection>>& detections,
                 const std::vector<bool>& evaluate) {
  if (detections.size() != dataset.images.size()) {
    throw Error("detections of " + std::to_string(detections.size()) + " images for a set of " +
                    std::to_string(dataset.images.size()),
                dataset.name);
  }
  ApResult result;
  std::vector<ApSummary> counted;
  for (std::size_t c = 0; c < dataset.classes.size(); ++c) {
    const bool counts = evaluate.empty() || evaluate.at(c);
    result.per_class.push_back(counts ? summary_of(curves_of(dataset, detections, static_cast<int>(c))) : ApSummary{});
    if (counts) counted.push_back(result.per_class.back());
  }
  result.all = mean_of(counted);
  return result;
}

}  // namespace conclave
