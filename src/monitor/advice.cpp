#include "monitor/advice.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <set>

namespace conclave {
namespace {

constexpr double kNoticeable = 0.02;  // a smaller share of waiting needs no advice

// The names of all who serve one of these teachers: one worker serves all ranks.
std::set<std::string> workers_of(const std::vector<RankStatus>& ranks, const std::vector<std::string>& teachers) {
  std::set<std::string> names;
  for (const RankStatus& rank : ranks) {
    for (const WorkerRow& row : rank.workers) {
      if (std::find(teachers.begin(), teachers.end(), row.teacher) != teachers.end()) names.insert(row.worker);
    }
  }
  return names;
}

// The teachers in parts: those that a worker serves together, or that others join to them, are in one.
std::vector<std::vector<std::size_t>> sharing(const std::vector<RankStatus>& ranks) {
  std::vector<std::vector<std::size_t>> parts;
  std::vector<std::set<std::string>> workers;  // of each part
  const std::vector<TeacherRow>& teachers = ranks.front().teachers;
  for (std::size_t t = 0; t < teachers.size(); ++t) {
    std::vector<std::size_t> part;
    std::set<std::string> names = workers_of(ranks, {teachers[t].teacher});
    for (std::size_t p = parts.size(); p-- > 0;) {
      const auto shared = [&](const std::string& name) { return names.contains(name); };
      if (std::none_of(workers[p].begin(), workers[p].end(), shared)) continue;
      part.insert(part.end(), parts[p].begin(), parts[p].end());
      names.merge(workers[p]);
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(p));
      workers.erase(workers.begin() + static_cast<std::ptrdiff_t>(p));
    }
    part.push_back(t);
    std::sort(part.begin(), part.end());
    parts.push_back(std::move(part));
    workers.push_back(std::move(names));
  }
  return parts;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::vector<Sizing> size_workers(const std::vector<RankStatus>& ranks) {
  double wanted = 0;
  for (const RankStatus& rank : ranks) wanted += rank.images_per_second / std::max(0.001, 1 - rank.teacher_wait);
  std::vector<Sizing> sizes;
  if (ranks.empty()) return sizes;
  for (const std::vector<std::size_t>& together : sharing(ranks)) {
    Sizing size;
    size.wanted = wanted;
    double seconds = 0;  // of a worker, for one view
    for (const std::size_t t : together) {
      size.teachers.push_back(ranks.front().teachers[t].teacher);
      double rate = 0;
      for (const RankStatus& rank : ranks) {
        if (t >= rank.teachers.size()) continue;
        if (together.size() == 1) size.workers = std::max(size.workers, rank.teachers[t].workers);
        rate += rank.teachers[t].views_per_second;  // a worker that serves all ranks shares its time
      }
      seconds += rate > 0 ? 1 / rate : std::numeric_limits<double>::infinity();
    }
    if (together.size() > 1) size.workers = static_cast<int>(workers_of(ranks, size.teachers).size());
    size.per_worker = 1 / seconds;
    if (size.per_worker > 0) size.enough = static_cast<int>(std::ceil(wanted / size.per_worker - 1e-9));
    sizes.push_back(size);
  }
  return sizes;
}

std::string advice(const std::vector<RankStatus>& ranks) {
  std::vector<std::string> missing;
  for (std::size_t t = 0; !ranks.empty() && t < ranks.front().teachers.size(); ++t) {
    const bool needed = std::any_of(ranks.begin(), ranks.end(), [&](const RankStatus& rank) {
      return rank.stored_views == 0 || (t < rank.teachers.size() && rank.teachers[t].waiting > 0);
    });
    const bool served = std::any_of(ranks.begin(), ranks.end(), [&](const RankStatus& rank) {
      return t < rank.teachers.size() && rank.teachers[t].workers > 0;
    });
    if (needed && !served) missing.push_back(ranks.front().teachers[t].teacher);
  }
  if (!missing.empty() && !ranks.front().local) {
    return "no worker for teacher " + joined(missing) +
           ": the training waits (conclave teach --help shows how to start one)";
  }
  const bool waiting =
      std::any_of(ranks.begin(), ranks.end(), [](const RankStatus& rank) { return rank.teacher_wait > kNoticeable; });
  if (!waiting) return "nobody waits for teachers";
  std::string text;
  for (const Sizing& size : size_workers(ranks)) {
    if (size.enough <= size.workers) continue;
    char line[300];
    std::snprintf(line, sizeof line,
                  ": %d worker%s at %.1f views/s each; the students could take %.1f images/s: %d would end the waiting",
                  size.workers, size.workers == 1 ? "" : "s", size.per_worker, size.wanted, size.enough);
    text += (text.empty() ? "" : "\n") + std::string(size.teachers.size() > 1 ? "teachers " : "teacher ");
    text += joined(size.teachers) + line;
  }
  if (text.empty())
    return "the students wait, though the workers' rates would do: they share cores, or the window is small";
  return text;
}

}  // namespace conclave
