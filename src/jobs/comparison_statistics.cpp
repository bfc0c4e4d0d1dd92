#include "jobs/comparison_statistics.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "jobs/comparison_verdict.h"

namespace conclave {
namespace {

using Score = double ApNumbers::*;
constexpr std::size_t kNoMethod = static_cast<std::size_t>(-1);

std::size_t method_of(const Comparison& comparison, const std::string& name) {
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    if (comparison.methods[m].name == name) return m;
  }
  return kNoMethod;
}

const ApNumbers* of_class(const std::map<std::string, ApNumbers>& per_class, const std::string& cls) {
  const auto found = per_class.find(cls);
  return found == per_class.end() ? nullptr : &found->second;
}

std::optional<double> known(const ApNumbers* numbers, Score score) {
  if (numbers == nullptr || !(numbers->*score >= 0)) return std::nullopt;
  return numbers->*score;
}

// The student's score on a class; on all of them for an empty name.
std::optional<double> score_of(const ComparedRun& run, const std::string& cls, Score score) {
  if (run.state != RunState::kDone || !run.record.student) return std::nullopt;
  const StudentResult& student = *run.record.student;
  if (cls.empty()) return student.all ? known(&*student.all, score) : std::nullopt;
  return known(of_class(student.per_class, cls), score);
}

// The best teacher's of the class among a run's own.
std::optional<double> best_teacher_of(const ComparedRun& run, const std::string& cls, Score score) {
  std::optional<double> best;
  for (const TeacherResult& teacher : run.record.teachers) {
    best = std::max(best, known(of_class(teacher.per_class, cls), score));
  }
  return best;
}

// Among those of all methods with this seed.
std::optional<double> best_teacher_of_seed(const Comparison& comparison, std::size_t seed, const std::string& cls,
                                           Score score) {
  std::optional<double> best;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    best = std::max(best, best_teacher_of(run_of(comparison, m, seed), cls, score));
  }
  return best;
}

Interval difference(const Comparison& comparison, std::size_t method, std::size_t baseline, const std::string& cls,
                    Score score) {
  std::vector<double> differences;
  for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
    const auto own = score_of(run_of(comparison, method, s), cls, score);
    const auto other = score_of(run_of(comparison, baseline, s), cls, score);
    if (own && other) differences.push_back(*own - *other);
  }
  return mean_interval(differences);
}

Interval over_seeds(const Comparison& comparison, std::size_t method, const std::string& cls, Score score) {
  std::vector<double> values;
  for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
    if (const auto value = score_of(run_of(comparison, method, s), cls, score)) values.push_back(*value);
  }
  return mean_interval(values);
}

// The student beside its class's best teacher, over the seeds that tell.
struct Kept {
  Interval ratio, difference;
};

Kept kept_over_seeds(const Comparison& comparison, std::size_t method, const std::string& cls, Score score) {
  std::vector<double> ratios, differences;
  for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
    const auto own = score_of(run_of(comparison, method, s), cls, score);
    auto teacher = best_teacher_of(run_of(comparison, method, s), cls, score);
    if (!teacher) teacher = best_teacher_of_seed(comparison, s, cls, score);  // the method asks none
    if (!own || !teacher) continue;
    if (*teacher > 0) ratios.push_back(*own / *teacher);
    differences.push_back(*own - *teacher);
  }
  return {mean_interval(ratios), mean_interval(differences)};
}

Interval best_teacher(const Comparison& comparison, const std::string& cls, Score score) {
  std::vector<double> values;
  for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
    if (const auto value = best_teacher_of_seed(comparison, s, cls, score)) values.push_back(*value);
  }
  return mean_interval(values);
}

ScoreSummary scores(const Comparison& comparison, std::size_t method, std::size_t baseline, const std::string& cls) {
  ScoreSummary summary;
  summary.ap = over_seeds(comparison, method, cls, &ApNumbers::ap);
  summary.ap50 = over_seeds(comparison, method, cls, &ApNumbers::ap50);
  if (baseline != kNoMethod && baseline != method) {
    summary.ap_difference = difference(comparison, method, baseline, cls, &ApNumbers::ap);
    summary.ap50_difference = difference(comparison, method, baseline, cls, &ApNumbers::ap50);
  }
  if (!cls.empty()) {
    const Kept ap = kept_over_seeds(comparison, method, cls, &ApNumbers::ap);
    const Kept ap50 = kept_over_seeds(comparison, method, cls, &ApNumbers::ap50);
    summary.ap_retention = ap.ratio;
    summary.ap50_retention = ap50.ratio;
    summary.ap_less_teacher = ap.difference;
    summary.ap50_less_teacher = ap50.difference;
  }
  return summary;
}

Interval gap_closed(const Comparison& comparison, std::size_t method) {
  const std::size_t lower = method_of(comparison, comparison.lower), upper = method_of(comparison, comparison.upper);
  if (lower == kNoMethod || upper == kNoMethod || method == lower || method == upper) return {};
  std::vector<double> gained, gap;
  for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
    const auto own = score_of(run_of(comparison, method, s), {}, &ApNumbers::ap);
    const auto low = score_of(run_of(comparison, lower, s), {}, &ApNumbers::ap);
    const auto high = score_of(run_of(comparison, upper, s), {}, &ApNumbers::ap);
    if (!own || !low || !high) continue;
    gained.push_back(*own - *low);
    gap.push_back(*high - *low);
  }
  if (mean_interval(gap).low > 0) return ratio_interval(gained, gap);
  Interval unknown;
  unknown.n = static_cast<int>(gap.size());
  return unknown;
}

std::vector<MethodPair> pairs_of(const Comparison& comparison) {
  std::vector<MethodPair> pairs;
  const std::size_t methods = comparison.methods.size();
  for (std::size_t m = 0; m < methods && methods > 2; ++m) {
    for (std::size_t other = m + 1; other < methods; ++other) {
      pairs.push_back({m, other, difference(comparison, m, other, {}, &ApNumbers::ap),
                       difference(comparison, m, other, {}, &ApNumbers::ap50)});
    }
  }
  return pairs;
}

std::int64_t seed_shift_of(const Comparison& comparison, std::size_t method) {
  for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
    const std::optional<std::int64_t>& used = run_of(comparison, method, s).record.seed;
    if (used) return *used - static_cast<std::int64_t>(comparison.seeds[s]);
  }
  return 0;
}

// Sums what runs tell, and counts only those that do.
class Mean {
 public:
  void add(double value) {
    if (std::isnan(value)) return;
    sum_ += value;
    ++count_;
  }
  double value() const { return count_ == 0 ? Interval::kNone : sum_ / count_; }

 private:
  double sum_ = 0;
  int count_ = 0;
};

MethodCost cost_of_method(const Comparison& comparison, std::size_t method) {
  Mean images, seconds, labelling, rate, wait, busy, bytes, asked, stored, trainer, worker;
  for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
    const ComparedRun& run = run_of(comparison, method, s);
    if (run.state != RunState::kDone) continue;
    const bool whole = !run.record.training || run.record.training->resumed_after == 0;  // not what a last part did
    if (run.record.training) {
      if (run.record.training->images > 0) images.add(static_cast<double>(run.record.training->images));
      labelling.add(run.record.training->labelling);
      seconds.add(run.record.training->seconds);
      rate.add(run.record.training->images_per_second);
      wait.add(run.record.training->teacher_wait);
      double sum = run.record.training->teacher_busy.empty() ? Interval::kNone : 0;
      for (const auto& [teacher, each] : run.record.training->teacher_busy) sum += each;
      if (whole) {
        busy.add(sum);
        trainer.add(run.record.training->trainer_memory);
        worker.add(run.record.training->worker_memory);
      }
    }
    if (run.record.wire) {
      double sum = 0;
      for (const auto& [teacher, each] : run.record.wire->bytes_per_view) sum += each;
      bytes.add(sum);
      if (whole) asked.add(static_cast<double>(run.record.wire->views));
    }
    if (whole && (run.record.wire || run.record.stored_views > 0))
      stored.add(static_cast<double>(run.record.stored_views));
  }
  MethodCost cost;
  cost.images = images.value();
  cost.teacher_busy = busy.value();
  cost.views_stored = stored.value();
  cost.trainer_memory = trainer.value();
  cost.worker_memory = worker.value();
  cost.seconds = seconds.value();
  cost.labelling = labelling.value();
  cost.images_per_second = rate.value();
  cost.teacher_wait = wait.value();
  cost.wire_bytes_per_view = bytes.value();
  cost.views_asked = asked.value();
  return cost;
}

}  // namespace

void summarise(Comparison& comparison) {
  const std::size_t baseline = method_of(comparison, comparison.baseline);
  comparison.summaries.clear();
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    MethodSummary summary;
    summary.all = scores(comparison, m, baseline, {});
    for (const std::string& cls : comparison.classes) {
      summary.per_class.push_back(scores(comparison, m, baseline, cls));
    }
    summary.gap_closed = gap_closed(comparison, m);
    summary.cost = cost_of_method(comparison, m);
    summary.seed_shift = seed_shift_of(comparison, m);
    comparison.summaries.push_back(std::move(summary));
  }
  comparison.pairs = pairs_of(comparison);
  const std::size_t lower = method_of(comparison, comparison.lower), upper = method_of(comparison, comparison.upper);
  comparison.gap =
      lower == kNoMethod || upper == kNoMethod ? Interval() : difference(comparison, upper, lower, {}, &ApNumbers::ap);
  comparison.teachers.clear();
  for (const std::string& cls : comparison.classes) {
    ScoreSummary teacher;
    teacher.ap = best_teacher(comparison, cls, &ApNumbers::ap);
    teacher.ap50 = best_teacher(comparison, cls, &ApNumbers::ap50);
    comparison.teachers.push_back(teacher);
  }
  judge(comparison);
}

}  // namespace conclave
