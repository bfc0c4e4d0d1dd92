#include "cli/run_teachers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>

#include "core/error.h"
#include "core/join.h"
#include "core/nearest.h"
#include "teachers/engine.h"

namespace conclave {
namespace {

bool is_foreign(const TeacherOptions& teacher) {
  return type_of(teacher.weights) != TeacherFileType::kOwn;
}

std::string place_of(const TeacherOptions& teacher) {
  return "teacher " + teacher.name;
}

// One view to look at before anything is started: a smooth picture with a few edges, of no object.
at::Tensor trial_pixels(const ViewOptions& views) {
  at::Tensor pixels = at::empty({1, views.height, views.width, 3}, at::kByte);
  auto* at = pixels.data_ptr<std::uint8_t>();
  for (int y = 0; y < views.height; ++y) {
    for (int x = 0; x < views.width; ++x) {
      const int shade = 64 + 64 * x / views.width + 64 * y / views.height + ((x / 32 + y / 32) % 2) * 24;
      for (int c = 0; c < 3; ++c) *at++ = static_cast<std::uint8_t>(shade + 8 * c);
    }
  }
  return pixels;
}

ExpectedTeacher expect(const TeacherOptions& teacher, const ViewOptions& views, const std::string& where) {
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
  Engine engine(teacher.file(), teacher.engine);
  expected.hash = engine.hash();
  const std::vector<std::string>& actual = engine.classes();
  if (!teacher.classes.empty() && teacher.classes != actual) {
    throw Error("the configuration says classes [" + join(teacher.classes) + "], the weights " + teacher.weights +
                    " say [" + join(actual) + "]",
                where, "leave `classes` out: they are read from the weights", Exit::kUsage);
  }
  expected.classes = actual;
  if (is_foreign(teacher)) engine.run(trial_pixels(views));
  return expected;
}

// The teacher's name before what its engine says.
ExpectedTeacher expect_by_name(const TeacherOptions& teacher, const ViewOptions& views) {
  const std::string where = place_of(teacher);
  try {
    return expect(teacher, views, where);
  } catch (const Error& error) {
    if (error.where() == where) throw;
    throw Error(error.what(), where, {}, error.exit());
  }
}

}  // namespace

TeacherChannels map_classes(const TeacherOptions& teacher, const std::vector<std::string>& own,
                            const std::vector<std::string>& student) {
  const std::string where = place_of(teacher);
  TeacherChannels channels;
  channels.name = teacher.name;
  channels.weight = teacher.weight.value_or(1.0);
  channels.loss_weight = teacher.loss_weight;
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

RunTeachers read_teachers(const RunOptions& options) {
  RunTeachers teachers;
  for (const TeacherOptions& teacher : options.teachers) {
    teachers.expected.push_back(expect_by_name(teacher, options.views));
    teachers.channels.push_back(map_classes(teacher, teachers.expected.back().classes, options.classes));
    teachers.channels.back().hash = teachers.expected.back().hash;
  }
  return teachers;
}

}  // namespace conclave
