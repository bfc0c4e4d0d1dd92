#include "jobs/report.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.h"
#include "core/file.h"
#include "jobs/html.h"
#include "jobs/svg_chart.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestPicture = std::size_t{64} << 20;

const ApNumbers* find_class(const std::map<std::string, ApNumbers>& per_class, const std::string& name) {
  const auto it = per_class.find(name);
  return it == per_class.end() ? nullptr : &it->second;
}

// Every class the record speaks of: its own order first, then the others by name.
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

std::string title_of(const RunRecord& record, const fs::path& folder) {
  if (!record.name.empty()) return record.name;
  const fs::path name = fs::absolute(folder).lexically_normal().filename();
  return name.empty() ? fs::absolute(folder).lexically_normal().parent_path().filename().string() : name.string();
}

std::string header_html(const RunRecord& record, const std::string& title) {
  std::vector<std::string> parts;
  if (!record.method.empty()) parts.push_back("method " + record.method);
  if (!record.loss.empty()) parts.push_back("loss " + record.loss);
  if (record.seed) parts.push_back("seed " + std::to_string(*record.seed));
  std::string line;
  for (const std::string& part : parts) line += (line.empty() ? "" : " · ") + part;
  std::string out = "<header><h1>" + escape_html(title) + "</h1>";
  if (!line.empty()) out += "<p class=\"meta\">" + escape_html(line) + "</p>";
  const std::string words = verdict(record);
  if (!words.empty()) out += "<p class=\"verdict\">" + escape_html(words) + "</p>";
  return out + "</header>\n";
}

std::string duration_text(double seconds) {
  if (seconds < 120) return number_text(seconds, seconds < 10 ? 1 : 0) + " s";
  if (seconds < 7200) return number_text(seconds / 60, 1) + " min";
  return number_text(seconds / 3600, 1) + " h";
}

std::string summary_html(const RunRecord& record) {
  std::vector<StatTile> tiles;
  if (record.student) {
    const StudentResult& student = *record.student;
    if (student.all) {
      tiles.push_back({"AP", ap_text(student.all->ap), "IoU 0.50 to 0.95, %"});
      tiles.push_back({"AP50", ap_text(student.all->ap50), "IoU 0.50, %"});
      if (student.all->ap75 >= 0) tiles.push_back({"AP75", ap_text(student.all->ap75), "IoU 0.75, %"});
    }
    if (student.parameters > 0) {
      tiles.push_back({"Student", number_text(static_cast<double>(student.parameters) / 1e6, 2) + " M", "parameters"});
    }
  }
  if (record.training) {
    const TrainingResult& t = *record.training;
    if (!std::isnan(t.seconds))
      tiles.push_back({"Training", duration_text(t.seconds), number_text(static_cast<double>(t.steps)) + " steps"});
    if (!std::isnan(t.images_per_second))
      tiles.push_back({"Speed", number_text(t.images_per_second, 1), "images per second"});
  }
  return tiles_html(tiles);
}

std::string sizes_html(const RunRecord& record) {
  if (!record.student || !record.student->all) return {};
  const ApNumbers& all = *record.student->all;
  if (all.ap_small < 0 && all.ap_medium < 0 && all.ap_large < 0) return {};
  return "<p class=\"note\">AP by object size: small " + ap_text(all.ap_small) + ", medium " + ap_text(all.ap_medium) +
         ", large " + ap_text(all.ap_large) + " (32² and 96² pixels apart).</p>\n";
}

std::string comparison_html(const RunRecord& record) {
  const std::string table = comparison_table_html(record);
  if (table.empty()) return {};
  std::string out = "<div class=\"card\">" + table + "</div>\n";
  if (!record.teachers.empty()) {
    out +=
        "<p class=\"note\">Percent. Kept: the student's number over the teacher's; the mark on the bar is 100 %. "
        "–: no ground truth, or not measured.</p>\n";
  }
  return out + sizes_html(record);
}

Series by_step(const RunMetrics& metrics, const std::string& name, double TrainingRow::*field) {
  Series series{name, {}, {}};
  for (const TrainingRow& row : metrics.training) {
    series.x.push_back(static_cast<double>(row.step));
    series.y.push_back(row.*field);
  }
  return series;
}

std::vector<Series> term_series(const RunMetrics& metrics) {
  std::vector<Series> out;
  for (const TrainingRow& row : metrics.training) {
    for (const auto& [name, value] : row.terms) {
      auto it = std::find_if(out.begin(), out.end(), [&, &term = name](const Series& s) { return s.name == term; });
      if (it == out.end()) it = out.insert(out.end(), Series{name, {}, {}});
      it->x.push_back(static_cast<double>(row.step));
      it->y.push_back(value);
    }
  }
  return out;
}

void add_point(Series& series, std::int64_t step, double ap) {
  series.x.push_back(static_cast<double>(step));
  series.y.push_back(ap >= 0 ? 100 * ap : std::nan(""));
}

std::string accuracy_charts(const RunMetrics& metrics, const std::vector<std::string>& order) {
  std::vector<std::string> sets;
  for (const EvaluationRow& row : metrics.evaluations) {
    if (std::find(sets.begin(), sets.end(), row.set) == sets.end()) sets.push_back(row.set);
  }
  std::string out;
  for (const std::string& set : sets) {
    Series ap{"AP", {}, {}}, ap50{"AP50", {}, {}};
    std::map<std::string, Series> per_class;
    for (const EvaluationRow& row : metrics.evaluations) {
      if (row.set != set) continue;
      add_point(ap, row.step, row.all.ap);
      add_point(ap50, row.step, row.all.ap50);
      for (const auto& [name, numbers] : row.per_class) {
        per_class[name].name = name;
        add_point(per_class[name], row.step, numbers.ap50);
      }
    }
    const std::string on = set.empty() ? "" : " on " + set;
    std::vector<Series> classes;
    for (auto& [name, series] : per_class) classes.push_back(std::move(series));
    const auto rank = [&](const Series& s) { return std::find(order.begin(), order.end(), s.name) - order.begin(); };
    std::stable_sort(classes.begin(), classes.end(), [&](auto& a, auto& b) { return rank(a) < rank(b); });
    out += line_chart_html({ap, ap50}, {"AP" + on, "step", "%", false, true, true});
    out += line_chart_html(classes, {"AP50 per class" + on, "step", "%", false, true, true});
  }
  return out;
}

std::string charts_html(const std::string& charts) {
  return charts.empty() ? charts : "<div class=\"charts\">\n" + charts + "</div>\n";
}

std::string learning_html(const RunRecord& record, const RunMetrics& metrics) {
  std::string charts = line_chart_html({by_step(metrics, "total", &TrainingRow::loss)}, {"Loss", "step", "", true});
  charts += line_chart_html(term_series(metrics), {"Terms of the loss", "step", "", true});
  charts += accuracy_charts(metrics, classes_of(record));
  charts += line_chart_html({by_step(metrics, "learning rate", &TrainingRow::lr)},
                            {"Learning rate", "step", "", false, true});
  charts += line_chart_html({by_step(metrics, "norm", &TrainingRow::grad_norm)}, {"Gradient norm", "step", "", true});
  std::string out = charts_html(charts);
  if (!metrics.note.empty()) out += "<p class=\"note\">" + escape_html(metrics.note) + "</p>\n";
  return out;
}

std::string speed_html(const RunRecord& record, const RunMetrics& metrics) {
  std::string out;
  if (record.training) {
    const TrainingResult& t = *record.training;
    const auto row = [&](const std::string& what, double seconds) {
      const double share = t.seconds > 0 ? seconds / t.seconds : std::nan("");
      return std::vector<std::string>{escape_html(what), number_text(seconds, 1), share_text(share)};
    };
    std::vector<std::vector<std::string>> rows;
    const auto add = [&](const std::string& what, double seconds) {
      if (!std::isnan(seconds)) rows.push_back(row(what, seconds));
    };
    add("training", t.seconds);
    add("of it waiting for data", t.data_wait);
    add("of it waiting for teachers", t.teacher_wait);
    out += "<div class=\"card\">";
    if (!rows.empty()) out += table_html({{"Time", false, ""}, {"seconds", true, ""}, {"share", true, ""}}, rows);
    out += "<p class=\"note\">" + number_text(static_cast<double>(t.images)) + " images in " +
           number_text(static_cast<double>(t.steps)) + " steps, " + number_text(t.images_per_second, 1) +
           " images per second.</p></div>\n";
  }
  std::string charts = line_chart_html({by_step(metrics, "images/s", &TrainingRow::images_per_second)},
                                       {"Throughput", "step", "images/s", false, true});
  charts += line_chart_html(
      {by_step(metrics, "data", &TrainingRow::data_wait), by_step(metrics, "teachers", &TrainingRow::teacher_wait)},
      {"Waiting", "step", "share of the time", false, true});
  if (!out.empty() && !charts.empty()) out += "<p></p>\n";
  return out + charts_html(charts);
}

std::string wire_html(const RunRecord& record) {
  if (!record.wire) return {};
  const WireResult& wire = *record.wire;
  std::vector<std::vector<std::string>> rows;
  for (const auto& [teacher, bytes] : wire.bytes_per_view) {
    rows.push_back({escape_html(teacher), number_text(bytes, 1),
                    number_text(bytes * static_cast<double>(wire.views) / (1024 * 1024), 2)});
  }
  std::string out = "<div class=\"card\">";
  if (!rows.empty()) {
    out += table_html({{"Teacher", false, ""}, {"bytes per view", true, ""}, {"MiB for all views", true, ""}}, rows);
  }
  return out + "<p class=\"note\">" + number_text(static_cast<double>(wire.views)) + " views; " +
         number_text(static_cast<double>(wire.leases_reissued)) + " leases given out again.</p></div>\n";
}

std::string coverage_html(const RunRecord& record) {
  if (record.coverage.empty()) return {};
  return "<div class=\"card\"><pre>" + escape_html(record.coverage) + "</pre></div>\n";
}

std::string mime_of(const fs::path& file) {
  const std::string extension = file.extension().string();
  if (extension == ".jpg" || extension == ".jpeg") return "image/jpeg";
  return extension == ".png" ? "image/png" : "";
}

// Only pictures inside the run folder: a page that is passed on must not carry other files of the machine.
std::string picture_html(const Picture& picture, const fs::path& folder) {
  const std::string caption =
      "<figcaption>" + escape_html(picture.caption.empty() ? picture.file : picture.caption) + "</figcaption>";
  const auto left_out = [&](const std::string& why) {
    return "<figure class=\"card\"><p class=\"note\">" + escape_html(picture.file + " " + why) + "</p>" + caption +
           "</figure>\n";
  };
  const fs::path file = fs::path(picture.file).lexically_normal();
  if (file.is_absolute() || file.empty() || *file.begin() == "..")
    return left_out("lies outside the run and is left out.");
  const std::string mime = mime_of(file);
  if (mime.empty()) return left_out("is neither JPEG nor PNG and is left out.");
  std::error_code error;
  const fs::path real = fs::weakly_canonical(folder / file, error);
  const fs::path inside = real.lexically_relative(fs::weakly_canonical(folder, error));
  if (!fs::is_regular_file(real, error)) return left_out("is missing.");
  if (inside.empty() || *inside.begin() == "..") return left_out("lies outside the run and is left out.");
  return "<figure class=\"card\"><img loading=\"lazy\" alt=\"" + escape_html(picture.caption) +
         "\" src=\"data:" + mime + ";base64," + base64(read_file(real, kLargestPicture)) + "\">" + caption +
         "</figure>\n";
}

std::string pictures_html(const RunRecord& record, const fs::path& folder) {
  std::string out;
  for (const Picture& picture : record.pictures) out += picture_html(picture, folder);
  return out.empty() ? out : "<div class=\"pictures\">\n" + out + "</div>\n";
}

std::string settings_html(const RunRecord& record, const fs::path& folder) {
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const std::string& key, const std::string& value) {
    if (!value.empty()) rows.push_back({escape_html(key), escape_html(value)});
  };
  std::string classes;
  for (const std::string& name : record.classes) classes += (classes.empty() ? "" : ", ") + name;
  add("method", record.method);
  add("loss", record.loss);
  if (record.seed) add("seed", std::to_string(*record.seed));
  add("classes", classes);
  for (const TeacherResult& teacher : record.teachers) {
    std::string known;
    for (const std::string& name : teacher.classes) known += (known.empty() ? "" : ", ") + name;
    add("teacher " + teacher.name, known);
  }
  for (const auto& [key, value] : record.environment) add(key, value);
  std::string out;
  if (!rows.empty())
    out = "<div class=\"card\">" + table_html({{"Setting", false, ""}, {"Value", false, ""}}, rows) + "</div>\n";
  const fs::path config = folder / "config.yaml";
  if (fs::is_regular_file(config)) {
    if (!out.empty()) out += "<p></p>\n";
    out += "<details class=\"card\"><summary>config.yaml, resolved</summary><pre>" +
           escape_html(read_file(config, kLargestPicture)) + "</pre></details>\n";
  }
  return out;
}

}  // namespace

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

std::string comparison_table_html(const RunRecord& record) {
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

void write_run_report(const fs::path& run_folder) {
  const RunRecord record = read_run_record(run_folder);
  const RunMetrics metrics = read_run_metrics(run_folder);
  const std::string title = title_of(record, run_folder);
  std::string body = header_html(record, title) + summary_html(record);
  body += section_html(record.teachers.empty() ? "Accuracy" : "Teachers and student", comparison_html(record));
  body += section_html("Learning", learning_html(record, metrics));
  body += section_html("Pictures", pictures_html(record, run_folder));
  body += section_html("Speed", speed_html(record, metrics));
  body += section_html("Wire", wire_html(record));
  body += section_html("Who supervises what", coverage_html(record));
  body += section_html("Settings", settings_html(record, run_folder));
  write_file_atomically(run_folder / "report.html", page_html(title, body));
}

}  // namespace conclave
