#include "jobs/side_by_side.h"

#include <algorithm>

#include "core/join.h"
#include "jobs/html.h"
#include "jobs/json_fields.h"
#include "jobs/pictures.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

// Whose pictures these are.
std::string shown_html(const JsonFields& fields) {
  if (fields.find("seed") == nullptr) return {};
  const std::string seed = "seed " + std::to_string(fields.integer("seed", 0));
  const std::vector<std::string> lacking = fields.texts("left_out");
  std::string text = "The students are those of " + seed + ".";
  if (!lacking.empty()) text += " Without a finished run of it, and left out: " + join(lacking) + ".";
  return "<p class=\"note\">" + escape_html(text) + "</p>\n";
}

}  // namespace

std::vector<std::string> picture_sources(const Comparison& comparison) {
  std::vector<std::string> sources = {"baseline " + comparison.baseline};
  for (const ComparedRun& run : comparison.runs) {
    if (run.state != RunState::kDone) continue;
    std::error_code none;
    const auto ended = fs::last_write_time(run.folder / "result.json", none).time_since_epoch().count();
    sources.push_back(run.method + ", seed " + std::to_string(run.seed) + ", " + std::to_string(ended));
  }
  return sources;
}

std::string side_by_side_html(const Comparison& comparison, const fs::path& folder) {
  const fs::path file = folder / "pictures.json";
  if (!fs::exists(file)) return {};
  const JsonFields::Json json = parse_json_file(file);
  const JsonFields fields(json, file.string());
  const Pictures pictures = read_pictures(fields);
  const std::vector<std::string> drawn = fields.texts("drawn_from"), there = picture_sources(comparison);
  const bool current = std::all_of(drawn.begin(), drawn.end(), [&](const std::string& source) {
    return std::find(there.begin(), there.end(), source) != there.end();
  });
  if (pictures.groups.empty() || drawn.empty() || !current) return {};
  return shown_html(fields) + pictures_html(pictures, folder);
}

}  // namespace conclave
