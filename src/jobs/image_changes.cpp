#include "jobs/image_changes.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace conclave {

std::map<std::int64_t, double> mean_image_f1(const std::vector<const std::map<std::int64_t, double>*>& runs) {
  std::map<std::int64_t, double> means;
  if (runs.empty()) return means;
  for (const auto& [image, first] : *runs.front()) {
    double sum = 0;
    std::size_t known = 0;
    for (const auto* run : runs) {
      const auto found = run->find(image);
      if (found == run->end() || !std::isfinite(found->second)) continue;
      sum += found->second;
      ++known;
    }
    if (known == runs.size()) means[image] = sum / static_cast<double>(known);
  }
  return means;
}

std::vector<ImageChange> largest_changes(const MethodImages& baseline, const std::vector<MethodImages>& others,
                                         std::size_t count) {
  // Of each method its changes by falling size, gains and losses apart: methods × 2 queues that take turns.
  std::vector<std::vector<ImageChange>> queues;
  for (const MethodImages& other : others) {
    std::vector<ImageChange> gains, losses;
    for (const auto& [image, f1] : other.f1) {
      const auto found = baseline.f1.find(image);
      if (found == baseline.f1.end() || f1 == found->second) continue;
      (f1 > found->second ? gains : losses).push_back({image, other.method, found->second, f1});
    }
    queues.push_back(std::move(gains));
    queues.push_back(std::move(losses));
  }
  const auto size = [](const ImageChange& change) { return std::abs(change.other - change.baseline); };
  const auto larger = [&](const ImageChange& a, const ImageChange& b) { return size(a) > size(b); };
  for (auto& queue : queues) std::stable_sort(queue.begin(), queue.end(), larger);
  std::vector<ImageChange> chosen;
  std::set<std::int64_t> taken;
  std::vector<std::size_t> next(queues.size(), 0);
  while (chosen.size() < count) {
    std::vector<ImageChange> round;
    for (std::size_t q = 0; q < queues.size(); ++q) {
      while (next[q] < queues[q].size() && taken.contains(queues[q][next[q]].image)) ++next[q];
      if (next[q] == queues[q].size()) continue;
      round.push_back(queues[q][next[q]]);
      taken.insert(round.back().image);
      ++next[q];
    }
    if (round.empty()) break;
    std::stable_sort(round.begin(), round.end(), larger);
    for (const ImageChange& change : round) {
      if (chosen.size() < count) chosen.push_back(change);
    }
  }
  return chosen;
}

}  // namespace conclave
