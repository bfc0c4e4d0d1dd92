#include "fusion/coverage.h"

#include <algorithm>
#include <cstddef>

#include "core/error.h"

namespace conclave {

bool needs_teachers(Method method) {
  return distils(method) || method == Method::kPseudo;
}

bool distils(Method method) {
  return method == Method::kKd || method == Method::kKdLabels;
}

namespace {

bool serves(const TeacherChannels& teacher, int cls) {
  return std::find(teacher.student_class.begin(), teacher.student_class.end(), cls) != teacher.student_class.end();
}

[[noreturn]] void fail(const std::string& cls, const std::string& what, const std::string& hint) {
  throw Error(what, "class '" + cls + "'", hint, Exit::kUsage);
}

const char* kLabelHint = "add it to the set's `labelled` list if its boxes are complete there";

// What supervises one class on one set, or an Error that names both.
ClassSource source_of(Method method, bool both, const std::string& cls, const CoveredSet& set, bool labelled,
                      const std::vector<int>& teachers) {
  ClassSource source;
  const std::string where = "on set '" + set.name + "'";
  const auto need_teacher = [&](const std::string& why) {
    if (!teachers.empty()) return;
    fail(cls, "no source covers it " + where + ": " + why + " and no teacher has the class",
         std::string("give a teacher that detects it (or map one of a teacher's classes to it), or ") + kLabelHint);
  };
  switch (method) {
    case Method::kLabels:
      if (!labelled) {
        fail(cls, "method `labels` needs it labelled " + where,
             std::string(kLabelHint) + "; otherwise leave the set out or use `ignore`, `pseudo` or `kd_labels`");
      }
      source.labels = true;
      break;
    case Method::kBackground:
      source.labels = labelled;
      source.background = !labelled;
      break;
    case Method::kIgnore:
      source.labels = labelled;
      break;
    case Method::kPseudo:
      source.labels = true;
      if (labelled) break;
      need_teacher("it is not labelled");
      source.pseudo = true;
      source.teachers = teachers;
      break;
    case Method::kKd:
      need_teacher("`kd` uses no label");
      source.teachers = teachers;
      break;
    case Method::kKdLabels:
      source.labels = labelled;
      if (!labelled) need_teacher("it is not labelled");
      if (!labelled || both) source.teachers = teachers;
      break;
  }
  return source;
}

std::string joined(const std::vector<int>& positions, const std::vector<TeacherChannels>& teachers) {
  std::string text;
  for (const int t : positions) {
    if (!text.empty()) text += "+";
    text += teachers[static_cast<std::size_t>(t)].name;
  }
  return text;
}

std::string describe(const ClassSource& source, const std::vector<TeacherChannels>& teachers) {
  if (source.background) return "background";
  if (source.ignored()) return "ignore";
  const std::string names = joined(source.teachers, teachers);
  if (source.pseudo) return "pseudo(" + names + ")";
  if (!source.labels) return names;
  return source.teachers.empty() ? "labels" : "labels+" + names;
}

// Columns that a UTF-8 text takes, one per code point.
std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

Coverage derive_coverage(Method method, bool both, const std::vector<std::string>& classes,
                         const std::vector<CoveredSet>& sets, const std::vector<TeacherChannels>& teachers) {
  if (classes.empty()) throw Error("the student has no classes", "classes", "name at least one class", Exit::kUsage);
  if (sets.empty()) throw Error("there is no set to learn from", "train", "name at least one set", Exit::kUsage);
  std::vector<std::vector<int>> teachers_of(classes.size());
  for (std::size_t t = 0; t < teachers.size(); ++t) {
    for (std::size_t c = 0; c < classes.size(); ++c) {
      if (serves(teachers[t], static_cast<int>(c))) teachers_of[c].push_back(static_cast<int>(t));
    }
  }

  Coverage coverage;
  for (const CoveredSet& set : sets) {
    if (set.labelled.size() != classes.size()) {
      throw Error("labelled classes don't match the student's", "set '" + set.name + "'", {}, Exit::kUsage);
    }
    std::vector<ClassSource>& row = coverage.emplace_back();
    for (std::size_t c = 0; c < classes.size(); ++c) {
      row.push_back(source_of(method, both, classes[c], set, set.labelled[c], teachers_of[c]));
    }
  }

  for (std::size_t c = 0; c < classes.size(); ++c) {
    const bool covered = std::any_of(coverage.begin(), coverage.end(), [&](const std::vector<ClassSource>& row) {
      return row[c].labels || !row[c].teachers.empty();
    });
    if (covered) continue;
    std::string names;
    for (const CoveredSet& set : sets) names += (names.empty() ? "'" : ", '") + set.name + "'";
    fail(
        classes[c], "no source covers it: it is not labelled on any set (" + names + ")",
        std::string("label it on a set, or use `kd_labels` or `pseudo` with a teacher that detects it; ") + kLabelHint);
  }
  return coverage;
}

std::string to_text(const Coverage& coverage, const std::vector<std::string>& classes,
                    const std::vector<CoveredSet>& sets, const std::vector<TeacherChannels>& teachers) {
  std::vector<std::vector<std::string>> rows;
  rows.push_back({"set"});
  rows[0].insert(rows[0].end(), classes.begin(), classes.end());
  for (std::size_t s = 0; s < coverage.size(); ++s) {
    rows.push_back({sets[s].name});
    for (const ClassSource& source : coverage[s]) rows.back().push_back(describe(source, teachers));
  }

  std::vector<std::size_t> widths(rows[0].size(), 0);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text += std::string(widths[i] - columns(row[i]) + 2, ' ');
    }
    text += "\n";
  }
  return text;
}

}  // namespace conclave
