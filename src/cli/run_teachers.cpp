#include "cli/run_teachers.h"

#include <algorithm>

#include "core/error.h"
#include "core/join.h"
#include "core/nearest.h"
#include "models/weights.h"

namespace conclave {
namespace {

ExpectedTeacher expect(const TeacherOptions& teacher, const std::string& where) {
  ExpectedTeacher expected;
  expected.name = teacher.name;
  expected.engine = teacher.engine;
  expected.classes = teacher.classes;
  if (teacher.weights.empty()) {
    if (teacher.classes.empty()) {
      throw Error("neither weights nor classes are given", where,
                  "name the weights file, or the classes when its workers come from outside", Exit::kUsage);
    }
    return expected;
  }
  const LoadedDetector loaded = load_detector(teacher.weights);
  expected.hash = loaded.hash;
  const std::vector<std::string>& actual = loaded.model->spec().classes;
  if (!teacher.classes.empty() && teacher.classes != actual) {
    throw Error("the configuration says classes [" + join(teacher.classes) + "], the weights " + teacher.weights +
                    " say [" + join(actual) + "]",
                where, "leave `classes` out: they are read from the weights", Exit::kUsage);
  }
  expected.classes = actual;
  return expected;
}

TeacherChannels map_classes(const TeacherOptions& teacher, const std::vector<std::string>& own,
                            const std::vector<std::string>& student, const std::string& where) {
  TeacherChannels channels;
  channels.name = teacher.name;
  channels.weight = teacher.weight;
  for (const auto& [from, to] : teacher.map) {
    if (std::find(own.begin(), own.end(), from) == own.end()) {
      throw Error("map names class '" + from + "', but the teacher has [" + join(own) + "]", where, {}, Exit::kUsage);
    }
  }
  for (const std::string& name : own) {
    std::string target = name;
    for (const auto& [from, to] : teacher.map) {
      if (from == name) target = to;
    }
    if (target.empty() || target == "~" || target == "null") {  // `map: {x: ~}` leaves a channel out
      channels.student_class.push_back(-1);
      continue;
    }
    const auto found = std::find(student.begin(), student.end(), target);
    if (found == student.end()) {
      const auto near = nearest(target, student);
      throw Error("its class '" + target + "' is not one of the student's classes [" + join(student) + "]", where,
                  near ? "add `map: {" + name + ": " + *near + "}` if it is the same thing"
                       : "add it to `classes`, or `map: {" + name + ": ~}` to leave it out",
                  Exit::kUsage);
    }
    channels.student_class.push_back(static_cast<int>(found - student.begin()));
  }
  return channels;
}

}  // namespace

RunTeachers read_teachers(const RunOptions& options) {
  RunTeachers teachers;
  for (const TeacherOptions& teacher : options.teachers) {
    const std::string where = "teacher " + teacher.name;
    teachers.expected.push_back(expect(teacher, where));
    teachers.channels.push_back(map_classes(teacher, teachers.expected.back().classes, options.classes, where));
    teachers.channels.back().hash = teachers.expected.back().hash;
  }
  return teachers;
}

}  // namespace conclave
