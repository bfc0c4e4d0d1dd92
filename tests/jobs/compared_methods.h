#pragma once

#include <string>
#include <vector>

#include "jobs/comparison.h"

namespace conclave {

// The AP of a method's finished runs by seed, negative: the run is missing.
struct ComparedScores {
  std::string method;
  std::vector<double> ap;
};

// Classes a and b: the student has AP 0.9 and 1.1 times that, AP50 twice AP minus 0.1.
inline ApNumbers numbers_of(double ap) {
  ApNumbers numbers;
  numbers.ap = ap;
  numbers.ap50 = 2 * ap - 0.1;
  return numbers;
}

inline TrainingResult training(double seconds, double images_per_second, double teacher_wait) {
  TrainingResult result;
  result.seconds = seconds;
  result.images_per_second = images_per_second;
  result.teacher_wait = teacher_wait;
  return result;
}

inline Comparison comparison_of(const std::vector<ComparedScores>& scores, const std::string& baseline) {
  Comparison comparison;
  comparison.name = "test";
  comparison.classes = {"a", "b"};
  comparison.baseline = baseline;
  comparison.budget = "80 images";
  for (std::size_t s = 0; s < scores.front().ap.size(); ++s) comparison.seeds.push_back(s);
  for (const ComparedScores& each : scores) {
    ComparedMethod method;
    method.name = each.method;
    comparison.methods.push_back(method);
    for (std::size_t s = 0; s < each.ap.size(); ++s) {
      ComparedRun run;
      run.method = each.method;
      run.seed = s;
      run.folder = "runs/" + each.method + "/seed" + std::to_string(s);
      if (each.ap[s] >= 0) {
        run.state = RunState::kDone;
        run.record.student.emplace();
        run.record.student->all = numbers_of(each.ap[s]);
        run.record.student->per_class["a"] = numbers_of(0.9 * each.ap[s]);
        run.record.student->per_class["b"] = numbers_of(1.1 * each.ap[s]);
      }
      comparison.runs.push_back(run);
    }
  }
  return comparison;
}

}  // namespace conclave
