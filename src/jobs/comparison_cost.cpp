#include "jobs/comparison_cost.h"

#include <algorithm>
#include <cmath>

#include "jobs/html.h"

namespace conclave {
namespace {

struct Part {
  const char* title;
  double MethodCost::*field;
  double unit;  // the value is divided by it
  int decimals;
  bool of_teachers = false;  // unknown where all views came from a store
};

constexpr Part kParts[] = {{"images seen", &MethodCost::images, 1, 0},
                           {"pseudo labels, min", &MethodCost::labelling, 60, 1},
                           {"training, min", &MethodCost::seconds, 60, 1},
                           {"images/s", &MethodCost::images_per_second, 1, 1},
                           {"waiting for teachers, s", &MethodCost::teacher_wait, 1, 1},
                           {"teachers at work, s", &MethodCost::teacher_busy, 1, 1, true},
                           {"views asked", &MethodCost::views_asked, 1, 0, true},
                           {"views from a store", &MethodCost::views_stored, 1, 0},
                           {"wire, KiB per view", &MethodCost::wire_bytes_per_view, 1024, 2, true},
                           {"trainer memory, MiB", &MethodCost::trainer_memory, 1024 * 1024, 0},
                           {"worker memory, MiB", &MethodCost::worker_memory, 1024 * 1024, 0, true}};

bool any_known(const Comparison& comparison, const Part& part) {
  return std::any_of(comparison.summaries.begin(), comparison.summaries.end(),
                     [&](const MethodSummary& summary) { return !std::isnan(summary.cost.*part.field); });
}

std::string cell(const MethodCost& cost, const Part& part) {
  const double value = cost.*part.field;
  if (std::isnan(value) && part.of_teachers && cost.replayed()) return "from the store";
  return number_text(value / part.unit, part.decimals);
}

}  // namespace

CostTable cost_table(const Comparison& comparison) {
  std::vector<const Part*> shown;
  for (const Part& part : kParts) {
    if (any_known(comparison, part)) shown.push_back(&part);
  }
  CostTable table;
  if (shown.empty()) return table;
  table.titles.push_back("method");
  for (const Part* part : shown) table.titles.emplace_back(part->title);
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    std::vector<std::string> row = {comparison.methods[m].name};
    for (const Part* part : shown) row.push_back(cell(comparison.summaries[m].cost, *part));
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string cost_note(const Comparison& comparison) {
  std::string text =
      "Means over the runs; views, the teachers' time and memory without runs that were resumed, whose last part alone "
      "is known.";
  const bool stored = std::any_of(comparison.summaries.begin(), comparison.summaries.end(),
                                  [](const MethodSummary& summary) { return summary.cost.views_stored > 0; });
  if (stored) {
    text +=
        " Methods that share a store of targets don't cost the same: the run that asks for a view first pays for the "
        "teachers, later ones take it from the store. To compare times, add to the latter what the former paid.";
  }
  return text;
}

}  // namespace conclave
