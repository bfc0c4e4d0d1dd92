#include "monitor/advice.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace conclave {
namespace {

constexpr double kNoticeable = 0.02;  // a smaller share of waiting needs no advice

}  // namespace

std::vector<Sizing> size_workers(const std::vector<RankStatus>& ranks) {
  double wanted = 0;
  for (const RankStatus& rank : ranks) wanted += rank.images_per_second / std::max(0.001, 1 - rank.teacher_wait);
  std::vector<Sizing> sizes;
  if (ranks.empty()) return sizes;
  for (std::size_t t = 0; t < ranks.front().teachers.size(); ++t) {
    Sizing size;
    size.teacher = ranks.front().teachers[t].teacher;
    size.wanted = wanted;
    for (const RankStatus& rank : ranks) {
      if (t >= rank.teachers.size()) continue;
      size.workers = std::max(size.workers, rank.teachers[t].workers);  // one worker serves all ranks
      size.per_worker += rank.teachers[t].views_per_second;  // a worker that serves all ranks shares its time
    }
    if (size.per_worker > 0) size.enough = static_cast<int>(std::ceil(wanted / size.per_worker - 1e-9));
    sizes.push_back(size);
  }
  return sizes;
}

std::string advice(const std::vector<RankStatus>& ranks) {
  std::string missing;
  for (const Sizing& size : size_workers(ranks)) {
    if (size.workers == 0) missing += (missing.empty() ? "" : ", ") + size.teacher;
  }
  if (!missing.empty() && !ranks.front().local) {
    return "no worker for teacher " + missing + ": the training waits (conclave teach --help shows how to start one)";
  }
  const bool waiting =
      std::any_of(ranks.begin(), ranks.end(), [](const RankStatus& rank) { return rank.teacher_wait > kNoticeable; });
  if (!waiting) return "nobody waits for teachers";
  std::string text;
  for (const Sizing& size : size_workers(ranks)) {
    if (size.enough <= size.workers) continue;
    char line[300];
    std::snprintf(
        line, sizeof line,
        "teacher %s: %d worker%s at %.1f views/s each; the students could take %.1f images/s: %d would end the "
        "waiting",
        size.teacher.c_str(), size.workers, size.workers == 1 ? "" : "s", size.per_worker, size.wanted, size.enough);
    text += (text.empty() ? "" : "\n") + std::string(line);
  }
  if (text.empty())
    return "the students wait, though the workers' rates would do: they share cores, or the window is small";
  return text;
}

}  // namespace conclave
