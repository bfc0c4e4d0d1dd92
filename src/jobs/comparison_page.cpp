#include "jobs/comparison_page.h"

#include <algorithm>
#include <optional>

#include "core/file.h"
#include "jobs/comparison_tables.h"
#include "jobs/html.h"
#include "jobs/method_curves.h"
#include "jobs/quality_sections.h"
#include "jobs/side_by_side.h"

namespace conclave {
namespace {

std::string paragraph(const char* style, const std::string& text) {
  return text.empty() ? text : std::string("<p class=\"") + style + "\">" + escape_html(text) + "</p>\n";
}

std::string header_html(const Comparison& comparison) {
  std::size_t done = 0;
  for (const ComparedRun& run : comparison.runs) done += run.state == RunState::kDone ? 1 : 0;
  std::string line = std::to_string(comparison.methods.size()) + " methods · " +
                     std::to_string(comparison.seeds.size()) + (comparison.seeds.size() == 1 ? " seed" : " seeds") +
                     " · " + std::to_string(done) + " of " + std::to_string(comparison.runs.size()) + " runs finished";
  std::string out = "<header><h1>" + escape_html(comparison.name) + "</h1>" + paragraph("meta", line);
  for (std::size_t i = 0; i < comparison.verdicts.size(); ++i) {
    out += paragraph(i == 0 ? "verdict" : "verdict more", comparison.verdicts[i]);
  }
  for (const std::string& note : comparison.notes) out += paragraph("warning", note);
  return out + "</header>\n";
}

std::string verdicts_html(const Comparison& comparison) {
  std::string out;
  for (const MethodSummary& summary : comparison.summaries) {
    if (!summary.verdict.empty()) out += "<li>" + escape_html(summary.verdict) + "</li>\n";
  }
  return out.empty() ? out
                     : "<details class=\"card below\"><summary>Each method in words</summary><ul>\n" + out +
                           "</ul></details>\n";
}

// The numbers of a section, and the sentence that tells how to read them.
std::string scores_html(const Comparison& comparison) {
  return score_table_html(comparison) +
         "<p class=\"note\">AP (IoU 0.50 to 0.95) and AP50 in percent, means over the seeds with their 95 % interval; "
         "small "
         "dots are single runs. Differences are paired by seed; bold where the interval excludes zero.</p>\n" +
         verdicts_html(comparison) + pairs_html(comparison);
}

// What the finished runs left about their detections.
struct Qualities {
  std::vector<std::vector<RunQuality>> of_method;  // finished runs that have one
  std::string set, thresholds_from;
};

Qualities read_qualities(const Comparison& comparison) {
  Qualities all;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    std::vector<RunQuality>& own = all.of_method.emplace_back();
    for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
      const ComparedRun& run = run_of(comparison, m, s);
      if (run.state != RunState::kDone) continue;
      std::optional<RunQuality> quality = read_run_quality(run.folder);
      if (!quality || quality->detectors.empty()) continue;
      all.set = quality->set;
      if (!quality->thresholds_from.empty()) all.thresholds_from = quality->thresholds_from;
      own.push_back(std::move(*quality));
    }
  }
  return all;
}

std::vector<QualityColumn> columns_of(const Comparison& comparison, const Qualities& qualities) {
  std::vector<QualityColumn> columns;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    QualityColumn column{comparison.methods[m].name, static_cast<int>(m), {}};
    for (const RunQuality& quality : qualities.of_method[m]) column.detectors.push_back(&quality.detectors.front());
    if (!column.detectors.empty()) columns.push_back(std::move(column));
  }
  return columns;
}

std::vector<LearningColumn> learning_of(const Comparison& comparison) {
  std::vector<LearningColumn> columns;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    LearningColumn column{comparison.methods[m].name, static_cast<int>(m), {}};
    for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
      const ComparedRun& run = run_of(comparison, m, s);
      if (run.state == RunState::kDone) column.runs.push_back(&run.metrics);
    }
    if (!column.runs.empty()) columns.push_back(std::move(column));
  }
  return columns;
}

const ComparedRun* first_done(const Comparison& comparison) {
  for (const ComparedRun& run : comparison.runs) {
    if (run.state == RunState::kDone) return &run;
  }
  return nullptr;
}

// What is known of the test set's part in the trainings. `compare` refuses what it can see before the start.
std::string unseen_text(const Comparison& comparison) {
  const bool seen = std::any_of(comparison.runs.begin(), comparison.runs.end(), [](const ComparedRun& run) {
    return run.record.student && run.record.student->seen_images > 0;
  });
  return std::string(seen ? "Some runs learnt from images of the test set."
                          : "No finished run learnt from an image of the test set.") +
         " That none is used to choose weights or thresholds is checked before the start, for sets that are there by "
         "then: not for those that a step of the comparison makes.";
}

// How each method chooses its weights, one line where all do alike.
std::string choices_text(const Comparison& comparison) {
  std::string text;
  for (const ComparedMethod& method : comparison.methods) {
    if (method.choice != comparison.methods.front().choice) return "by method, see the note at the top";
    text = method.choice;
  }
  return text;
}

std::string making_html(const Comparison& comparison) {
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const std::string& key, const std::string& value) {
    if (!value.empty()) rows.push_back({escape_html(key), escape_html(value)});
  };
  std::string seeds, classes;
  for (const std::uint64_t seed : comparison.seeds) seeds += (seeds.empty() ? "" : ", ") + std::to_string(seed);
  for (const std::string& name : comparison.classes) classes += (classes.empty() ? "" : ", ") + name;
  add("budget", comparison.budget);
  add("seeds", seeds);
  add("baseline", comparison.baseline);
  add("classes", classes);
  add("weights chosen by", choices_text(comparison));
  if (const ComparedRun* run = first_done(comparison)) {
    if (run->record.student) {
      const StudentResult& student = *run->record.student;
      if (!student.set.empty())
        add("tested on", student.set + ", " + number_text(static_cast<double>(student.images)) + " images");
      if (student.parameters > 0)
        add("student", number_text(static_cast<double>(student.parameters) / 1e6, 2) + " M parameters");
    }
    for (const auto& [key, value] : run->record.environment) add(key, value);
  }
  return method_table_html(comparison) + "<div class=\"card below\">" +
         table_html({{"Setting", false, ""}, {"Value", false, ""}}, rows) + "</div>\n" +
         paragraph("note", unseen_text(comparison) +
                               " Intervals are Student's t over the seeds; differences are paired by seed; gaps closed "
                               "have Fieller's interval.");
}

// What each method may learn from, one table for those that are alike.
std::string coverage_html(const Comparison& comparison) {
  std::vector<std::pair<std::string, std::string>> tables;  // the table, the methods that have it
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
      const ComparedRun& run = run_of(comparison, m, s);
      if (run.state != RunState::kDone || run.record.coverage.empty()) continue;
      const auto same = std::find_if(tables.begin(), tables.end(),
                                     [&](const auto& table) { return table.first == run.record.coverage; });
      if (same == tables.end()) {
        tables.emplace_back(run.record.coverage, comparison.methods[m].name);
      } else {
        same->second += ", " + comparison.methods[m].name;
      }
      break;
    }
  }
  std::string out;
  for (const auto& [table, names] : tables) {
    out += "<div class=\"card below\"><h3>" + escape_html(names) + "</h3><pre>" + escape_html(table) + "</pre></div>\n";
  }
  return out;
}

std::string failures_html(const Comparison& comparison) {
  std::string out;
  for (const ComparedRun& run : comparison.runs) {
    if (run.failure.empty()) continue;
    const std::string what = run.state == RunState::kFailed ? " failed" : " was left out";
    out += "<details class=\"card below\"><summary>" +
           escape_html(run.method + ", seed " + std::to_string(run.seed) + what) + "</summary><pre>" +
           escape_html(run.failure) + "</pre></details>\n";
  }
  return out;
}

}  // namespace

void write_comparison_page(const Comparison& comparison, const std::filesystem::path& html) {
  const Qualities qualities = read_qualities(comparison);
  const std::vector<QualityColumn> columns = columns_of(comparison, qualities);
  const std::filesystem::path folder = html.parent_path();
  std::string body = header_html(comparison);
  body += section_html("Methods compared", scores_html(comparison));
  body += section_html("Each class", class_tables_html(comparison));
  body += section_html("What is kept of the teachers", retention_table_html(comparison));
  body += section_html("Cost", cost_table_html(comparison));
  body += section_html("Learning", method_curves_html(learning_of(comparison), comparison.classes));
  body += section_html("Precision and recall", precision_recall_html(columns, comparison.classes));
  body += section_html("Thresholds",
                       thresholds_html(columns, comparison.classes, qualities.thresholds_from, qualities.set));
  body += section_html("Calibration", calibration_html(columns, comparison.classes));
  body += section_html("Side by side", side_by_side_html(comparison, folder));
  body += section_html("Every run", runs_table_html(comparison) + failures_html(comparison));
  body += section_html("How it was made", making_html(comparison));
  body += section_html("Who supervises what", coverage_html(comparison));
  write_file_atomically(html, page_html(comparison.name + " · comparison", body));
}

}  // namespace conclave
