#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "student/evaluate.h"
#include "student/options.h"

namespace conclave {

// One detector on one set, in the student's classes.
struct MeasuredDetector {
  std::string name;
  std::vector<bool> judged;                        // per class: the detector knows it and the set labels it
  ApResult ap;                                     // over the judged classes
  std::vector<std::vector<Detection>> detections;  // per image of the set, of all classes that it knows
};

// How finished detectors are measured: in float32 whatever they were trained in, as `conclave eval` does, so that both
// give the same numbers and a report does not depend on the arithmetic of the training. The evaluations during a
// training only choose its best weights; they compute as it does.
EvaluateOptions report_evaluation(const RunOptions& options);

// A student's own weights, and a teacher of whatever format (its weights must be here), ready to be measured. What they
// need lives as long as the function. Throw Error as load_detector and Engine do.
RunNetwork student_network(const std::filesystem::path& weights, const RunOptions& options);
RunNetwork teacher_network(const TeacherOptions& teacher, const RunOptions& options);

// `student_class`: the student's class of each of the detector's channels, -1: left out. Throws Error as detect does.
MeasuredDetector measure_detector(const std::string& name, const RunNetwork& network,
                                  const std::vector<int>& student_class, const Dataset& set, const RunOptions& options);

// The channels of a student: its own classes, in order.
std::vector<int> own_channels(const RunOptions& options);

// In the student's classes, what it leaves out dropped.
std::vector<std::vector<Detection>> in_student_classes(const std::vector<std::vector<Detection>>& detections,
                                                       const std::vector<int>& student_class);

}  // namespace conclave
