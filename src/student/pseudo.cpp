#include "student/pseudo.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/stop.h"
#include "fusion/sparse.h"
#include "models/decode.h"
#include "student/run_facts.h"
#include "teachers/window.h"

namespace conclave {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kSameObject = 0.5;   // IoU above which two teachers' boxes are one object
constexpr int kMostDetections = 300;  // per view and teacher

bool needs_teachers(const std::vector<ClassSource>& sources) {
  return std::any_of(sources.begin(), sources.end(), [](const ClassSource& source) { return source.pseudo; });
}

// Keeps, of overlapping boxes of one class, the one with the best score.
std::vector<Detection> without_doubles(std::vector<Detection> detections) {
  std::stable_sort(detections.begin(), detections.end(),
                   [](const Detection& a, const Detection& b) { return a.score > b.score; });
  std::vector<Detection> kept;
  for (const Detection& detection : detections) {
    const bool known = std::any_of(kept.begin(), kept.end(), [&](const Detection& other) {
      return other.cls == detection.cls && iou(other.box, detection.box) > kSameObject;
    });
    if (!known) kept.push_back(detection);
  }
  return kept;
}

// Plain views of every image of the sets that need teachers, in order.
std::vector<ViewKey> views_to_ask(const std::vector<Dataset>& datasets, const Coverage& coverage) {
  std::vector<ViewKey> keys;
  for (std::size_t d = 0; d < datasets.size(); ++d) {
    if (!needs_teachers(coverage[d])) continue;
    for (std::size_t i = 0; i < datasets[d].images.size(); ++i) {
      keys.push_back({static_cast<std::uint32_t>(d), static_cast<std::uint32_t>(i), kPlainView});
    }
  }
  return keys;
}

// found[i]: the boxes of view keys[i], in pixels of the image.
std::vector<std::vector<Detection>> ask(const std::vector<ViewKey>& keys, const std::vector<Dataset>& datasets,
                                        const Coverage& coverage, const std::vector<TeacherChannels>& teachers,
                                        const RunOptions& options, TargetSource& source) {
  Loader loader(datasets, options.views, std::max(1, options.training.loader_threads));
  std::size_t next = 0;
  const auto next_key = [&]() -> std::optional<ViewKey> {
    return next < keys.size() ? std::optional<ViewKey>(keys[next++]) : std::nullopt;
  };
  const std::size_t capacity = static_cast<std::size_t>(std::max(options.training.window, 1));
  Window window(datasets, loader, source, next_key, capacity);
  std::vector<std::vector<Detection>> found;
  while (found.size() < keys.size()) {
    if (stop_requested()) {
      throw Error("interrupted while making pseudo labels", options.run, "start again with --resume",
                  Exit::kInterrupted);
    }
    for (const JoinedView& joined : window.take(1)) {
      const View& view = joined.view;
      const ImageEntry& image = datasets[view.key.dataset].images[view.key.image];
      const Affine to_image = view.image_to_view.inverse();
      std::vector<Detection> boxes;
      for (Detection detection :
           decode_targets(joined.targets, teachers, static_cast<float>(options.fusion.pseudo_threshold))) {
        if (!coverage[view.key.dataset][static_cast<std::size_t>(detection.cls)].pseudo) continue;
        detection.box =
            clip(transform(to_image, detection.box), static_cast<float>(image.width), static_cast<float>(image.height));
        if (detection.box.width() > 0 && detection.box.height() > 0) boxes.push_back(detection);
      }
      found.push_back(without_doubles(std::move(boxes)));
      if (found.size() % 500 == 0) log::info("pseudo labels: {} of {} images", found.size(), keys.size());
    }
  }
  return found;
}

Json to_json(const std::vector<std::vector<Detection>>& found) {
  Json views = Json::array();
  for (const auto& boxes : found) {
    Json rows = Json::array();
    for (const Detection& d : boxes) rows.push_back({d.cls, d.score, d.box.x0, d.box.y0, d.box.x1, d.box.y1});
    views.push_back(std::move(rows));
  }
  return views;
}

std::vector<std::vector<Detection>> from_json(const Json& views) {
  std::vector<std::vector<Detection>> found;
  for (const Json& rows : views) {
    std::vector<Detection>& boxes = found.emplace_back();
    for (const Json& row : rows) {
      const auto number = [&](std::size_t i) { return row.at(i).get<float>(); };
      boxes.push_back({{number(2), number(3), number(4), number(5)}, row.at(0).get<int>(), number(1)});
    }
  }
  return found;
}

void replace_boxes(Dataset& dataset, const std::vector<ClassSource>& sources) {
  for (ImageEntry& image : dataset.images) {
    std::erase_if(image.annotations,
                  [&](const Annotation& a) { return sources.at(static_cast<std::size_t>(a.cls)).pseudo; });
  }
}

// The boxes of each view: from the file of an equal run, else from the teachers, and then in the file.
std::vector<std::vector<Detection>> saved_or_asked(const std::vector<ViewKey>& keys,
                                                   const std::vector<Dataset>& datasets, const Coverage& coverage,
                                                   const std::vector<TeacherChannels>& teachers,
                                                   const RunOptions& options, TargetSource& source,
                                                   const std::filesystem::path& file, bool reuse) {
  const Json made_by = run_facts(options, datasets, teachers);
  std::vector<std::vector<Detection>> found;
  if (reuse && std::filesystem::exists(file)) {
    const Json saved = Json::parse(read_file(file), nullptr, /*allow_exceptions=*/false);
    if (saved.is_object() && saved.value("made_by", Json()) == made_by &&
        saved.value("views", Json()).size() == keys.size()) {
      found = from_json(saved["views"]);
      log::info("pseudo labels are taken from {}", file.string());
    }
  }
  if (found.size() != keys.size()) {
    log::info("teachers label {} images at threshold {}", keys.size(), options.fusion.pseudo_threshold);
    found = ask(keys, datasets, coverage, teachers, options, source);
    write_file_atomically(file, Json{{"made_by", made_by}, {"views", to_json(found)}}.dump() + "\n");
  }
  return found;
}

}  // namespace

std::vector<Detection> decode_targets(const std::vector<SoftTargets>& targets,
                                      const std::vector<TeacherChannels>& teachers, float threshold) {
  std::vector<Detection> all;
  for (std::size_t t = 0; t < targets.size(); ++t) {
    const DenseTargets dense = densify({&targets[t]});
    const HeadOutputs heads{dense.heat, dense.wh, dense.offset};
    const auto decoded = decode(heads, {kMostDetections, threshold});
    for (Detection detection : decoded.front()) {
      detection.cls = teachers.at(t).student_class.at(static_cast<std::size_t>(detection.cls));
      if (detection.cls >= 0 && detection.score >= threshold) all.push_back(detection);
    }
  }
  return all;
}

std::size_t add_pseudo_labels(std::vector<Dataset>& datasets, const Coverage& coverage,
                              const std::vector<TeacherChannels>& teachers, const RunOptions& options,
                              TargetSource& source, const std::filesystem::path& file, bool reuse,
                              ProcessGroup& ranks) {
  const std::vector<ViewKey> keys = views_to_ask(datasets, coverage);
  std::vector<std::vector<Detection>> found;
  ranks.together([&] {
    if (ranks.writes()) found = saved_or_asked(keys, datasets, coverage, teachers, options, source, file, reuse);
  });
  const std::string boxes = ranks.broadcast(ranks.size() > 1 ? to_json(found).dump() : "");
  if (!ranks.writes()) found = from_json(Json::parse(boxes));
  for (std::size_t d = 0; d < datasets.size(); ++d) {
    if (needs_teachers(coverage[d])) replace_boxes(datasets[d], coverage[d]);
  }
  std::size_t added = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    ImageEntry& image = datasets[keys[i].dataset].images[keys[i].image];
    for (const Detection& detection : found[i]) {
      image.annotations.push_back({detection.box, detection.cls, false, detection.box.area(), 0});
      ++added;
    }
  }
  return added;
}

}  // namespace conclave
