#include "cli/compare_sharing.h"

#include <algorithm>

#include "cli/compare_methods.h"

namespace conclave {
namespace {

// Repeated views depend on the image alone, fresh ones on the run's seed, too. Once for all is about plain views.
bool draws_alike(const RunOptions& one, const RunOptions& other) {
  if (!asks_every_view(one.fusion))
    return one.views.width == other.views.width && one.views.height == other.views.height;
  const bool repeated = one.views_per_image > 0, other_repeated = other.views_per_image > 0;
  return one.views == other.views && repeated == other_repeated && (repeated || one.seed == other.seed);
}

bool same_images(const DatasetOptions& one, const DatasetOptions& other) {
  return one.images == other.images && one.annotations == other.annotations && one.limit == other.limit;
}

bool asks_teachers_of(const RunOptions& recorder, const RunOptions& later) {
  return std::all_of(later.teachers.begin(), later.teachers.end(), [&](const TeacherOptions& teacher) {
    return std::any_of(recorder.teachers.begin(), recorder.teachers.end(),
                       [&](const TeacherOptions& other) { return other.weights == teacher.weights; });
  });
}

}  // namespace

bool asks_alike(const RunOptions& one, const RunOptions& other) {
  return asks_every_view(one.fusion) == asks_every_view(other.fusion) && draws_alike(one, other) &&
         sparse_options(one.fusion) == sparse_options(other.fusion);
}

bool asks_all_of(const RunOptions& recorder, const RunOptions& later) {
  const bool every = asks_every_view(later.fusion);
  return asks_teachers_of(recorder, later) &&
         std::equal(recorder.train.begin(), recorder.train.end(), later.train.begin(), later.train.end(),
                    same_images) &&
         (!every || images_of(recorder) >= images_of(later)) && recorder.views_per_image >= later.views_per_image;
}

void wait_for_targets(PlannedTask& task, const std::vector<PlannedTask>& tasks,
                      const std::vector<std::size_t>& before) {
  std::optional<std::size_t> found;
  for (const std::size_t each : before) {
    const RunOptions& other = *tasks[each].options;
    if (!asks_alike(*task.options, other)) continue;
    found = each;
    task.recorded = asks_all_of(other, *task.options);
    if (task.recorded) break;
  }
  if (found) task.after_any.push_back(*found);
}

}  // namespace conclave
