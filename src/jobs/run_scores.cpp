#include "jobs/run_scores.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "jobs/html.h"

namespace conclave {
namespace {

const ApNumbers* find_class(const std::map<std::string, ApNumbers>& per_class, const std::string& name) {
  const auto it = per_class.find(name);
  return it == per_class.end() ? nullptr : &it->second;
}

struct KeptShare {
  std::string cls;
  double share;
};

// Per class, the student's AP50 over its best teacher's; classes where that is undefined are left out.
std::vector<KeptShare> kept_shares(const RunRecord& record) {
  std::vector<KeptShare> kept;
  if (!record.student) return kept;
  for (const std::string& cls : classes_of(record)) {
    const ApNumbers* student = find_class(record.student->per_class, cls);
    double best = -1;
    for (const TeacherResult& teacher : record.teachers) {
      if (const ApNumbers* ap = find_class(teacher.per_class, cls)) best = std::max(best, ap->ap50);
    }
    if (student == nullptr) continue;
    const double share = retention(student->ap50, best);
    if (!std::isnan(share)) kept.push_back({cls, share});
  }
  return kept;
}

std::string share_text(double share) {
  return retention_text(share, 1.0);
}

std::string tested_on(const StudentResult& student) {
  std::string out;
  if (!student.set.empty()) out += " on " + student.set;
  if (student.images > 0)
    out += " (" + number_text(static_cast<double>(student.images)) + (student.images == 1 ? " image)" : " images)");
  return out;
}

}  // namespace

std::vector<std::string> classes_of(const RunRecord& record) {
  std::vector<std::string> classes = record.classes;
  std::set<std::string> others;
  if (record.student) {
    for (const auto& [name, ap] : record.student->per_class) others.insert(name);
  }
  for (const auto& name : classes) others.erase(name);
  classes.insert(classes.end(), others.begin(), others.end());
  return classes;
}

std::string verdict(const RunRecord& record) {
  if (!record.student) return {};
  const std::vector<KeptShare> kept = kept_shares(record);
  const std::string where = tested_on(*record.student);
  if (kept.empty()) {
    if (!record.student->all || record.student->all->ap < 0) return {};
    return "The student reaches " + ap_text(record.student->all->ap) + " AP and " + ap_text(record.student->all->ap50) +
           " AP50" + where + ".";
  }
  std::string out = "The student reaches ";
  const char* whose = record.teachers.size() == 1 ? " of its teacher's AP50" : " of its teachers' AP50";
  if (kept.size() > 4) {
    const auto [low, high] =
        std::minmax_element(kept.begin(), kept.end(), [](auto& a, auto& b) { return a.share < b.share; });
    out += "between " + share_text(low->share) + " (" + low->cls + ") and " + share_text(high->share) + " (" +
           high->cls + ")" + whose + " over " + std::to_string(kept.size()) + " classes";
  } else {
    for (std::size_t i = 0; i < kept.size(); ++i) {
      if (i > 0) out += i + 1 == kept.size() ? " and " : ", ";
      out += share_text(kept[i].share) + (i == 0 ? whose : "") + std::string(" on ") + kept[i].cls;
    }
  }
  return out + (where.empty() ? "" : ", measured" + where) + ".";
}

std::string teacher_table_html(const RunRecord& record) {
  if (!record.student || record.student->per_class.empty()) return {};
  const bool teachers = !record.teachers.empty();
  std::vector<std::vector<std::string>> rows;
  for (const std::string& cls : classes_of(record)) {
    const ApNumbers* found = find_class(record.student->per_class, cls);
    const ApNumbers student = found == nullptr ? ApNumbers{} : *found;
    if (!teachers) {
      rows.push_back({escape_html(cls), ap_text(student.ap), ap_text(student.ap50), ap_text(student.ap75)});
      continue;
    }
    const auto add = [&](const std::string& teacher, const ApNumbers& ap) {
      std::string name = escape_html(cls);
      if (!teacher.empty()) name += "<small>teacher " + escape_html(teacher) + "</small>";
      rows.push_back({name, ap_text(ap.ap50), ap_text(student.ap50),
                      retention_text(student.ap50, ap.ap50) + bar_html(retention(student.ap50, ap.ap50)),
                      ap_text(ap.ap), ap_text(student.ap), retention_text(student.ap, ap.ap)});
    };
    bool taught = false;
    for (const TeacherResult& teacher : record.teachers) {
      const ApNumbers* ap = find_class(teacher.per_class, cls);
      if (ap == nullptr) continue;
      taught = true;
      add(teacher.name, *ap);
    }
    if (!taught) add({}, ApNumbers{});
  }
  if (!teachers) {
    return table_html({{"Class", false, ""}, {"AP", true, ""}, {"AP50", true, ""}, {"AP75", true, ""}}, rows);
  }
  return table_html({{"Class", false, ""},
                     {"teacher", true, "AP50"},
                     {"student", true, "AP50"},
                     {"kept", true, "AP50"},
                     {"teacher", true, "AP"},
                     {"student", true, "AP"},
                     {"kept", true, "AP"}},
                    rows);
}

}  // namespace conclave
