#include "jobs/comparison_notes.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/join.h"

namespace conclave {
namespace {

int count(const Comparison& comparison, RunState state) {
  return static_cast<int>(std::count_if(comparison.runs.begin(), comparison.runs.end(),
                                        [&](const ComparedRun& run) { return run.state == state; }));
}

// A value, and the methods that have it.
using Group = std::pair<std::string, std::vector<std::string>>;

// "8000 (kd, pseudo); 16000 (labels)"; empty where all methods are alike.
std::string groups_text(const std::vector<Group>& groups) {
  std::vector<std::string> parts;
  for (const auto& [value, who] : groups) parts.push_back(value + " (" + join(who) + ")");
  return groups.size() > 1 ? join(parts, "; ") : "";
}

// The values that the methods have, and who has each.
std::string shared_by(const Comparison& comparison, std::string ComparedMethod::*value) {
  std::map<std::string, std::vector<std::string>> names;
  for (const ComparedMethod& method : comparison.methods) {
    const std::string& own = method.*value;
    names[own.empty() ? "none" : own].push_back(method.name);
  }
  return groups_text({names.begin(), names.end()});
}

// The same for the images that finished runs saw in training.
std::string images_by(const Comparison& comparison) {
  std::map<std::int64_t, std::vector<std::string>> names;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    const double images = comparison.summaries[m].cost.images;
    if (!std::isnan(images)) names[std::llround(images)].push_back(comparison.methods[m].name);
  }
  std::vector<Group> groups;
  for (const auto& [images, who] : names) groups.emplace_back(std::to_string(images), who);
  return groups_text(groups);
}

// "kd (12 of 72)" for each method that learnt from images it is tested on.
std::string seen_by(const Comparison& comparison) {
  std::vector<std::string> found;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    std::int64_t seen = 0, images = 0;
    for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
      const std::optional<StudentResult>& student = run_of(comparison, m, s).record.student;
      if (!student || student->seen_images <= seen) continue;
      seen = student->seen_images;
      images = student->images;
    }
    if (seen > 0) {
      found.push_back(comparison.methods[m].name + " (" + std::to_string(seen) + " of " + std::to_string(images) + ")");
    }
  }
  return join(found);
}

std::set<std::string> versions_of(const Comparison& comparison) {
  std::set<std::string> versions;
  for (const ComparedRun& run : comparison.runs) {
    for (const auto& [key, value] : run.record.environment) {
      if (key == "version") versions.insert(value);
    }
  }
  return versions;
}

bool same_scores(const RunRecord& one, const RunRecord& other) {
  if (!one.student || !other.student || one.student->per_class.size() != other.student->per_class.size()) return false;
  return std::equal(one.student->per_class.begin(), one.student->per_class.end(), other.student->per_class.begin(),
                    [](const auto& a, const auto& b) {
                      return a.first == b.first && a.second.ap == b.second.ap && a.second.ap50 == b.second.ap50;
                    });
}

bool learnt(const RunRecord& record) {
  return record.student && record.student->all && record.student->all->ap > 0;
}

// Trainings repeat themselves bit by bit: two methods whose every score is the same are one.
bool same_method(const Comparison& comparison, std::size_t one, std::size_t other) {
  int shared = 0;
  for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
    const ComparedRun &a = run_of(comparison, one, s), &b = run_of(comparison, other, s);
    if (a.state != RunState::kDone || b.state != RunState::kDone) continue;
    if (!learnt(a.record) || !same_scores(a.record, b.record)) return false;
    ++shared;
  }
  return shared > 0;
}

// "kd and kd2; pseudo and pseudo2"
std::string twins(const Comparison& comparison) {
  std::vector<std::string> found;
  for (std::size_t a = 0; a < comparison.methods.size(); ++a) {
    for (std::size_t b = a + 1; b < comparison.methods.size(); ++b) {
      if (same_method(comparison, a, b)) {
        found.push_back(comparison.methods[a].name + " and " + comparison.methods[b].name);
      }
    }
  }
  return join(found, "; ");
}

// Intervals of differences that the report shows: to the baseline (AP and AP50 of the mean and of each class), to each
// class's best teacher, and of the other pairs.
int intervals_shown(const Comparison& comparison) {
  int shown = 0;
  const auto add = [&](const Interval& ap, const Interval& ap50) { shown += ap.bounded() + ap50.bounded(); };
  for (const MethodSummary& summary : comparison.summaries) {
    add(summary.all.ap_difference, summary.all.ap50_difference);
    for (const ScoreSummary& cls : summary.per_class) add(cls.ap_less_teacher, cls.ap50_less_teacher);
    if (comparison.classes.size() < 2) continue;
    for (const ScoreSummary& cls : summary.per_class) add(cls.ap_difference, cls.ap50_difference);
  }
  for (const MethodPair& pair : comparison.pairs) {
    const bool known = comparison.methods[pair.method].name == comparison.baseline ||
                       comparison.methods[pair.other].name == comparison.baseline;
    if (!known) add(pair.ap, pair.ap50);
  }
  return shown;
}

}  // namespace

std::vector<std::string> notes_on(const Comparison& comparison) {
  constexpr int kOneComparison = 2;  // of AP and of AP50
  std::vector<std::string> notes;
  const int missing = count(comparison, RunState::kMissing), failed = count(comparison, RunState::kFailed);
  const std::string all = std::to_string(comparison.runs.size());
  if (missing > 0) notes.push_back(std::to_string(missing) + " of " + all + " runs are missing so far.");
  if (failed > 0) notes.push_back(std::to_string(failed) + " of " + all + " runs failed.");
  if (const std::string seen = seen_by(comparison); !seen.empty()) {
    notes.push_back("Methods were trained on images of the test set, which says nothing about new images: " + seen +
                    ".");
  }
  if (const std::string choice = shared_by(comparison, &ComparedMethod::choice); !choice.empty()) {
    notes.push_back("The methods choose their weights differently, and that alone may make a difference: " + choice +
                    ".");
  }
  const std::string init = shared_by(comparison, &ComparedMethod::init);
  if (!init.empty()) {
    notes.push_back("The methods start from different weights, and that alone may make a difference: " + init + ".");
  }
  if (const std::string images = images_by(comparison); !images.empty()) {
    notes.push_back("The methods saw different numbers of images in training, and that alone may make a difference: " +
                    images + ".");
  }
  if (const std::string same = twins(comparison); !same.empty()) {
    notes.push_back("Methods have exactly the same scores, so what sets them apart had no effect: " + same + ".");
  }
  if (const std::set<std::string> versions = versions_of(comparison); versions.size() > 1) {
    notes.push_back("The runs are of different versions of the program: " +
                    join(std::vector<std::string>(versions.begin(), versions.end())) + ".");
  }
  if (comparison.seeds.size() == 1) {
    notes.push_back("With one seed there are no intervals: no difference can be told from chance.");
  } else if (comparison.seeds.size() == 2) {
    notes.push_back("With two seeds intervals are wide: take three, better five or more.");
  }
  if (const int shown = intervals_shown(comparison); shown > kOneComparison) {
    notes.push_back("The report shows " + std::to_string(shown) +
                    " intervals of differences, each for itself one of 95 %: where nothing differs, about one in "
                    "twenty excludes zero by chance.");
  }
  return notes;
}

std::string shifted_text(const MethodSummary& summary) {
  if (summary.seed_shift == 0) return {};
  return std::string("trained with each seed ") + (summary.seed_shift > 0 ? "plus " : "minus ") +
         std::to_string(std::abs(summary.seed_shift));
}

}  // namespace conclave
