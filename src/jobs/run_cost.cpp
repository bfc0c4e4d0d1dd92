#include "jobs/run_cost.h"

#include <cmath>

#include "jobs/html.h"
#include "jobs/run_curves.h"

namespace conclave {
namespace {

std::string mebibytes(double bytes) {
  return number_text(bytes / (1024 * 1024)) + " MiB";
}

}  // namespace

std::string run_speed_html(const RunRecord& record, const RunMetrics& metrics) {
  std::string out;
  if (record.training) {
    const TrainingResult& t = *record.training;
    std::vector<std::vector<std::string>> rows;
    const auto add = [&](const std::string& what, double seconds, bool shared) {
      if (std::isnan(seconds)) return;
      const double share = shared && t.seconds > 0 ? seconds / t.seconds : std::nan("");
      rows.push_back({escape_html(what), number_text(seconds, 1), std::isnan(share) ? "" : retention_text(share, 1.0)});
    };
    add("making pseudo labels", t.labelling, false);
    add("training", t.seconds, true);
    add("of it waiting for data", t.data_wait, true);
    add("of it waiting for teachers", t.teacher_wait, true);
    for (const auto& [teacher, seconds] : t.teacher_busy) add("workers of " + teacher + " at work", seconds, false);
    out += "<div class=\"card\">";
    if (!rows.empty()) out += table_html({{"Time", false, ""}, {"seconds", true, ""}, {"share", true, ""}}, rows);
    std::string note = number_text(static_cast<double>(t.images)) + " images in " +
                       number_text(static_cast<double>(t.steps)) + " steps, " + number_text(t.images_per_second, 1) +
                       " images per second.";
    if (!std::isnan(t.trainer_memory)) note += " Peak memory: trainer " + mebibytes(t.trainer_memory);
    if (!std::isnan(t.worker_memory)) note += ", largest worker " + mebibytes(t.worker_memory);
    if (!std::isnan(t.trainer_memory)) note += ".";
    if (t.resumed_after > 0) {
      note += " It went on after step " + number_text(static_cast<double>(t.resumed_after)) +
              ": memory, the workers' time and what they sent are those of the part after it.";
    }
    out += "<p class=\"note\">" + note + "</p></div>\n";
  }
  std::string charts = line_chart_html({by_step(metrics, "images/s", &TrainingRow::images_per_second)},
                                       {"Throughput", "step", "images/s", false, true});
  charts += line_chart_html(
      {by_step(metrics, "data", &TrainingRow::data_wait), by_step(metrics, "teachers", &TrainingRow::teacher_wait)},
      {"Waiting", "step", "share of the time", false, true});
  return out + charts_html(charts);
}

std::string run_wire_html(const RunRecord& record) {
  const std::string stored = record.stored_views > 0 ? number_text(static_cast<double>(record.stored_views)) +
                                                           " views came from a target store."
                                                     : "";
  if (!record.wire) return stored.empty() ? "" : "<p class=\"note\">" + stored + "</p>\n";
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
         number_text(static_cast<double>(wire.leases_reissued)) + " leases given out again. " + stored + "</p></div>\n";
}

}  // namespace conclave
