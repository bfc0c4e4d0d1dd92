#include "jobs/report.h"

#include <cmath>

#include "core/file.h"
#include "jobs/html.h"
#include "jobs/quality_sections.h"
#include "jobs/run_cost.h"
#include "jobs/run_curves.h"
#include "jobs/run_scores.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestConfig = std::size_t{64} << 20;

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

std::string scores_html(const RunRecord& record) {
  const std::string table = teacher_table_html(record);
  if (table.empty()) return {};
  std::string out = "<div class=\"card\">" + table + "</div>\n";
  if (record.student && record.student->seen_images > 0) {
    out += "<p class=\"warning\">" + number_text(static_cast<double>(record.student->seen_images)) + " of the " +
           number_text(static_cast<double>(record.student->images)) +
           " test images were in the training, too: this says nothing about new images.</p>\n";
  }
  if (!record.teachers.empty()) {
    out +=
        "<p class=\"note\">Percent. Kept: the student's number over the teacher's; the mark on the bar is 100 %. "
        "–: no ground truth, or not measured.</p>\n";
  }
  return out + sizes_html(record);
}

std::string coverage_html(const RunRecord& record) {
  if (record.coverage.empty()) return {};
  return "<div class=\"card\"><pre>" + escape_html(record.coverage) + "</pre></div>\n";
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
    out += "<details class=\"card below\"><summary>config.yaml, resolved</summary><pre>" +
           escape_html(read_file(config, kLargestConfig)) + "</pre></details>\n";
  }
  return out;
}

std::vector<QualityColumn> columns_of(const RunQuality& quality) {
  std::vector<QualityColumn> columns;
  for (std::size_t i = 0; i < quality.detectors.size(); ++i) {
    const DetectorQuality& detector = quality.detectors[i];
    columns.push_back({i == 0 ? detector.name : "teacher " + detector.name, static_cast<int>(i), {&detector}});
  }
  return columns;
}

std::string quality_html(const RunQuality& quality, const std::vector<std::string>& classes) {
  const std::vector<QualityColumn> columns = columns_of(quality);
  return section_html("Precision and recall", precision_recall_html(columns, classes)) +
         section_html("Thresholds", thresholds_html(columns, classes, quality.thresholds_from, quality.set)) +
         section_html("Calibration", calibration_html(columns, classes));
}

}  // namespace

void write_run_report(const fs::path& run_folder) {
  const RunRecord record = read_run_record(run_folder);
  const RunMetrics metrics = read_run_metrics(run_folder);
  const std::optional<RunQuality> quality = read_run_quality(run_folder);
  const std::vector<std::string> classes = classes_of(record);
  const std::string title = title_of(record, run_folder);
  std::string body = header_html(record, title) + summary_html(record);
  body += section_html(record.teachers.empty() ? "Accuracy" : "Teachers and student", scores_html(record));
  body += section_html("Learning", run_curves_html(metrics, classes));
  if (quality) body += quality_html(*quality, classes);
  body += section_html("Pictures", pictures_html(record.pictures, run_folder));
  body += section_html("Speed", run_speed_html(record, metrics));
  body += section_html("Wire", run_wire_html(record));
  body += section_html("Who supervises what", coverage_html(record));
  body += section_html("Settings", settings_html(record, run_folder));
  write_file_atomically(run_folder / "report.html", page_html(title + " · run", body));
}

}  // namespace conclave
