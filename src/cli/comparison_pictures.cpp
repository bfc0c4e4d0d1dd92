#include "cli/comparison_pictures.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <set>

#include "cli/config_run.h"
#include "cli/measured_detector.h"
#include "cli/pictures.h"
#include "cli/run_quality.h"
#include "cli/run_teachers.h"
#include "core/file.h"
#include "jobs/image_changes.h"
#include "jobs/run_quality.h"
#include "jobs/side_by_side.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kSpread = 3, kChanged = 5;
constexpr std::size_t kMostTiles = 190;  // of 35 KB or so: the page stays below 10 MB
constexpr std::size_t kLargestFile = std::size_t{16} << 20;

struct Finished {
  std::string method;
  std::uint64_t seed = 0;  // as the comparison names it
  RunOptions options;
  fs::path folder;
  RunQuality quality;
};

// The finished runs of the seed that has most of them, in the methods' order.
std::vector<const ComparedRun*> best_seed(const Comparison& comparison) {
  std::vector<const ComparedRun*> best;
  for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
    std::vector<const ComparedRun*> done;
    for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
      const ComparedRun& run = run_of(comparison, m, s);
      if (run.state == RunState::kDone) done.push_back(&run);
    }
    if (done.size() > best.size()) best = std::move(done);
  }
  return best;
}

std::vector<Finished> read_finished(const Comparison& comparison) {
  std::vector<Finished> finished;
  for (const ComparedRun* run : best_seed(comparison)) {
    std::optional<RunQuality> quality = read_run_quality(run->folder);
    if (!quality || quality->detectors.empty()) continue;
    RunOptions options = read_run_options((run->folder / "config.yaml").string(), {});
    if (options.test.name.empty()) continue;
    finished.push_back({run->method, run->seed, std::move(options), run->folder, std::move(*quality)});
  }
  return finished;
}

std::vector<double> thresholds_of(const Finished& run) {
  std::vector<double> thresholds;
  const auto& per_class = run.quality.detectors.front().per_class;
  for (const std::string& cls : run.options.classes) {
    const auto found = per_class.find(cls);
    const bool known =
        found != per_class.end() && found->second.threshold && std::isfinite(found->second.threshold->score);
    thresholds.push_back(known ? found->second.threshold->score : Thresholds::kFixed);
  }
  return thresholds;
}

// Every teacher that any of the runs asks, once, then the students. `runs` must outlive them.
std::vector<Onlooker> onlookers(const std::vector<Finished>& runs) {
  std::vector<Onlooker> all;
  std::set<std::string> seen;
  for (const Finished& run : runs) {
    const RunTeachers teachers = read_teachers(run.options);
    for (std::size_t t = 0; t < teachers.channels.size(); ++t) {
      const TeacherOptions& teacher = run.options.teachers[t];
      if (teacher.weights.empty() || !seen.insert(teacher.weights).second) continue;
      all.push_back({"teacher " + teacher.name, [&teacher, &run] { return teacher_network(teacher, run.options); },
                     teachers.channels[t].student_class,
                     std::vector<double>(run.options.classes.size(), Thresholds::kFixed), run.options.views});
    }
  }
  for (const Finished& run : runs) {
    all.push_back({run.method, [&run] { return student_network(run.folder / "weights/best.safetensors", run.options); },
                   own_channels(run.options), thresholds_of(run), run.options.views});
  }
  return all;
}

MethodImages images_of(const Comparison& comparison, std::size_t method) {
  std::vector<RunQuality> qualities;
  for (std::size_t s = 0; s < comparison.seeds.size(); ++s) {
    const ComparedRun& run = run_of(comparison, method, s);
    if (run.state != RunState::kDone) continue;
    std::optional<RunQuality> quality = read_run_quality(run.folder);
    if (quality && !quality->detectors.empty()) qualities.push_back(std::move(*quality));
  }
  std::vector<const std::map<std::int64_t, double>*> runs;
  for (const RunQuality& quality : qualities) runs.push_back(&quality.detectors.front().image_f1);
  return {comparison.methods[method].name, mean_image_f1(runs)};
}

// A word on why an image is shown.
std::string note_of(const ImageChange& change, const std::string& baseline, std::size_t seeds) {
  char text[256];
  std::snprintf(text, sizeof text, "A large change: F1 %.2f with %s, %.2f with %s%s.", change.other,
                change.method.c_str(), change.baseline, baseline.c_str(), seeds > 1 ? " (means over the seeds)" : "");
  return text;
}

std::vector<ShownImage> images_to_show(const Comparison& comparison, const Dataset& set, std::size_t count) {
  MethodImages baseline;
  std::vector<MethodImages> others;
  for (std::size_t m = 0; m < comparison.methods.size(); ++m) {
    if (comparison.methods[m].name == comparison.baseline) {
      baseline = images_of(comparison, m);
    } else {
      others.push_back(images_of(comparison, m));
    }
  }
  std::map<std::int64_t, std::size_t> place;
  for (std::size_t i = 0; i < set.images.size(); ++i) place[set.images[i].id] = i;
  std::vector<ShownImage> images;
  const std::size_t spread = std::min(kSpread, count);
  for (const ImageChange& change : largest_changes(baseline, others, std::min(kChanged, count - spread))) {
    const auto found = place.find(change.image);
    if (found != place.end())
      images.push_back({found->second, note_of(change, comparison.baseline, comparison.seeds.size())});
  }
  for (const ShownImage& image : spread_images(set, spread)) {
    const bool there =
        std::any_of(images.begin(), images.end(), [&](const ShownImage& other) { return other.index == image.index; });
    if (!there) images.push_back(image);
  }
  return images;
}

// The methods that have no picture.
std::vector<std::string> left_out(const Comparison& comparison, const std::vector<Finished>& runs) {
  std::vector<std::string> names;
  for (const ComparedMethod& method : comparison.methods) {
    const bool shown =
        std::any_of(runs.begin(), runs.end(), [&](const Finished& run) { return run.method == method.name; });
    if (!shown) names.push_back(method.name);
  }
  return names;
}

bool drawn_from(const fs::path& file, const std::vector<std::string>& sources) {
  if (!fs::exists(file)) return false;
  const auto pictures = nlohmann::json::parse(read_file(file, kLargestFile), nullptr, false);
  return pictures.is_object() && pictures.value("drawn_from", nlohmann::json()) == sources;
}

}  // namespace

void draw_comparison_pictures(const Comparison& comparison, const fs::path& folder) {
  const std::vector<std::string> from = picture_sources(comparison);
  if (drawn_from(folder / "pictures.json", from)) return;
  const std::vector<Finished> runs = read_finished(comparison);
  if (runs.empty()) return;
  const RunOptions& options = runs.front().options;
  const Dataset set = load_dataset(options.test, options.classes);
  const std::vector<Onlooker> all = onlookers(runs);
  const std::size_t count = std::clamp<std::size_t>(kMostTiles / (all.size() + 1), 2, kSpread + kChanged);
  nlohmann::ordered_json pictures = draw_pictures(set, images_to_show(comparison, set, count), all, options, folder);
  pictures["seed"] = runs.front().seed;
  pictures["left_out"] = left_out(comparison, runs);
  pictures["drawn_from"] = from;
  write_file_atomically(folder / "pictures.json", pictures.dump(2) + "\n");
}

}  // namespace conclave
