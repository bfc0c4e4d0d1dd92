#include "student/pseudo.h"

#include <algorithm>
#include <functional>

#include "core/clock.h"
#include "core/error.h"
#include "core/log.h"
#include "core/stop.h"
#include "datasets/precision_recall.h"
#include "datasets/view_recipe.h"
#include "student/progress.h"
#include "student/pseudo_journal.h"
#include "student/run_facts.h"

namespace conclave {
namespace {

constexpr double kShownEvery = 5;  // seconds

bool needs_pseudo(const std::vector<ClassSource>& sources) {
  return std::any_of(sources.begin(), sources.end(), [](const ClassSource& source) { return source.pseudo; });
}

// What is wanted of the validation set: the classes that are pseudo on any set.
std::vector<ClassSource> wanted_classes(const Coverage& coverage) {
  std::vector<ClassSource> wanted(coverage.front().size());
  for (const auto& row : coverage) {
    for (std::size_t c = 0; c < row.size(); ++c) wanted[c].pseudo = wanted[c].pseudo || row[c].pseudo;
  }
  return wanted;
}

std::vector<ViewKey> images_to_ask(const PseudoInput& input) {
  std::vector<ViewKey> keys;
  for (std::size_t d = 0; d < input.datasets.size(); ++d) {
    if (!needs_pseudo(input.coverage[d])) continue;
    for (std::size_t i = 0; i < input.datasets[d].images.size(); ++i) {
      keys.push_back({static_cast<std::uint32_t>(d), static_cast<std::uint32_t>(i), kPlainView});
    }
  }
  return keys;
}

// Asks about plain views ahead of their use and takes the answers in order. A key's set may be the one behind the last:
// the validation set.
class Asker {
 public:
  Asker(const PseudoInput& input, TargetSource& source) : input_(input), source_(source) {}

  // done(i, boxes): of keys[i], from `first` on, in pixels of the image.
  void ask(const std::string& what, const std::vector<ViewKey>& keys, std::size_t first, const PseudoRule& rule,
           const std::function<void(std::size_t, const std::vector<Detection>&)>& done) {
    const auto window = static_cast<std::size_t>(std::max(input_.options.training.window, 1));
    const std::vector<ClassSource> wanted = wanted_classes(input_.coverage);
    TimePoint begin, shown;  // the first answer, for which workers may have to start, counts for nothing
    for (std::size_t asked = first, taken = first; taken < keys.size(); ++taken) {
      if (stop_requested()) throw Error("interrupted", what, "go on with --resume", Exit::kInterrupted);
      for (; asked < keys.size() && asked - taken < window; ++asked) {
        source_.ask(request_of(set_of(keys[asked]), keys[asked], input_.options.views));
        if (asked + 1 == keys.size()) source_.flush();
      }
      const bool of_val = keys[taken].dataset == input_.datasets.size();
      done(taken, pseudo_boxes(source_.take(), input_.teachers, of_val ? wanted : input_.coverage[keys[taken].dataset],
                               rule, frame_of(keys[taken])));
      const TimePoint now = clock_.now();
      if (taken == first) begin = shown = now;
      if ((now - shown).count() < kShownEvery && taken + 1 < keys.size()) continue;
      shown = now;
      const double rate = static_cast<double>(taken - first) / std::max((now - begin).count(), 1e-9);
      log::info("{}: {} of {} images, {:.1f} images/s, {} left", what, taken + 1, keys.size(), rate,
                duration_text(rate > 0 ? static_cast<double>(keys.size() - taken - 1) / rate : 0));
    }
  }

 private:
  const Dataset& set_of(const ViewKey& key) const {
    return key.dataset < input_.datasets.size() ? input_.datasets[key.dataset] : *input_.val;
  }

  PseudoFrame frame_of(const ViewKey& key) const {
    const ImageEntry& image = set_of(key).images[key.image];
    const ImageSize size{image.width, image.height};
    const ViewRecipe recipe = view_recipe(key, std::span(&size, 1), input_.options.views);
    return {recipe.parts.front().image_to_view.inverse(), static_cast<float>(image.width),
            static_cast<float>(image.height)};
  }

  const PseudoInput& input_;
  TargetSource& source_;
  const SystemClock clock_;
};

std::vector<ClassThreshold> find_thresholds(const PseudoInput& input, Asker& asker) {
  const Dataset& val = *input.val;
  std::vector<ViewKey> keys;
  for (std::size_t i = 0; i < val.images.size(); ++i) {
    keys.push_back({static_cast<std::uint32_t>(input.datasets.size()), static_cast<std::uint32_t>(i), kPlainView});
  }
  const PseudoRule everything{input.options.fusion.pseudo.merge, {}, false};
  std::vector<std::vector<Detection>> found(keys.size());
  asker.ask("pseudo labels, thresholds", keys, 0, everything,
            [&](std::size_t i, const std::vector<Detection>& boxes) { found[i] = boxes; });
  const std::vector<ClassMatches> matches = match_detections(val, found);
  const std::vector<ClassSource> wanted = wanted_classes(input.coverage);
  std::vector<ClassThreshold> thresholds;
  for (std::size_t c = 0; c < wanted.size(); ++c) {
    thresholds.push_back({.score = 1});
    if (!wanted[c].pseudo) continue;
    std::vector<CurvePoint> curve = precision_recall(matches[c]);
    std::erase_if(curve, [](const CurvePoint& point) { return point.score < kLeastPseudoScore; });
    const CurvePoint best = best_f1(curve);
    if (best.f1 <= 0) {
      throw Error("the teachers find none of the " + std::to_string(matches[c].objects) + " objects on set '" +
                      val.name + "', so no threshold is better than another",
                  "class '" + val.classes[c] + "'",
                  "is it the right teacher (conclave eval)? fusion.pseudo.threshold takes a number as well");
    }
    thresholds.back() = {best.score, best.precision, best.recall, best.f1};
    log::info("class {}: boxes from {:.3f} on are labels: precision {:.3f}, recall {:.3f}, F1 {:.3f} on set {}",
              val.classes[c], best.score, best.precision, best.recall, best.f1, val.name);
  }
  return thresholds;
}

PseudoRule rule_of(const PseudoInput& input, std::vector<ClassThreshold> thresholds) {
  return {input.options.fusion.pseudo.merge, std::move(thresholds), input.options.fusion.pseudo.soft};
}

}  // namespace

void check_thresholds(const PseudoInput& input) {
  if (input.options.fusion.pseudo.threshold) return;
  const std::vector<ClassSource> wanted = wanted_classes(input.coverage);
  for (std::size_t c = 0; c < wanted.size(); ++c) {
    if (!wanted[c].pseudo) continue;
    const std::string cls = input.options.classes[c];
    const auto fail = [&](const std::string& why) {
      throw Error("its pseudo labels have no threshold: " + why, "class '" + cls + "'",
                  "give held-out images on which it is labelled as data.val, or a number as fusion.pseudo.threshold "
                  "(0.3, say)",
                  Exit::kUsage);
    };
    if (!input.val) fail("the best F1 is looked for on data.val, which is not given");
    if (!input.val->labelled[c]) fail("data.val ('" + input.val->name + "') does not label it");
    if (!shows(*input.val, static_cast<int>(c))) fail("data.val ('" + input.val->name + "') has no object of it");
  }
}

std::string pseudo_facts(const PseudoInput& input) {
  std::string text;
  for (const auto& [key, value] : run_facts(input.options, input.datasets, input.teachers, input.val)) {
    for (const char* decides : {"classes", "views.size", "train.", "val.", "fusion.method", "fusion.loss",
                                "fusion.floor", "fusion.pseudo", "teachers."}) {
      if (key.starts_with(decides)) {
        text += key + " = " + value + "\n";
        break;
      }
    }
  }
  return text;
}

PseudoLabels make_pseudo_labels(const PseudoInput& input, TargetSource& source, const std::filesystem::path& journal,
                                bool reuse) {
  const PseudoOptions& pseudo = input.options.fusion.pseudo;
  PseudoJournal said(journal, pseudo_facts(input), reuse);
  Asker asker(input, source);
  if (!said.thresholds()) {
    said.add(pseudo.threshold ? std::vector<ClassThreshold>(input.options.classes.size(),
                                                            {.score = static_cast<float>(*pseudo.threshold)})
                              : find_thresholds(input, asker));
  }
  PseudoLabels labels;
  labels.rule = rule_of(input, *said.thresholds());
  if (pseudo.per_view) return labels;
  labels.images = images_to_ask(input);
  const std::size_t known = std::min(said.views().size(), labels.images.size());
  if (known > 0)
    log::info("the boxes of {} of {} images are taken from {}", known, labels.images.size(), journal.string());
  asker.ask("pseudo labels", labels.images, known, labels.rule,
            [&](std::size_t, const std::vector<Detection>& boxes) { said.add(boxes); });
  labels.boxes = said.views();
  return labels;
}

PseudoLabels make_pseudo_labels(const PseudoInput& input, TargetSource& source, const std::filesystem::path& journal,
                                bool reuse, ProcessGroup& ranks) {
  PseudoLabels labels;
  ranks.together([&] {
    if (ranks.writes()) labels = make_pseudo_labels(input, source, journal, reuse);
  });
  if (ranks.size() == 1) return labels;
  const std::string content =
      ranks.broadcast(ranks.writes() ? to_text(labels.rule.thresholds, labels.boxes) : std::string());
  if (!ranks.writes()) {
    from_text(content, labels.rule.thresholds, labels.boxes);
    labels.rule = rule_of(input, std::move(labels.rule.thresholds));
    if (!input.options.fusion.pseudo.per_view) labels.images = images_to_ask(input);
  }
  return labels;
}

std::size_t add_pseudo_labels(std::vector<Dataset>& datasets, const Coverage& coverage, const PseudoLabels& labels) {
  for (std::size_t d = 0; d < datasets.size(); ++d) {
    for (ImageEntry& image : datasets[d].images) {
      std::erase_if(image.annotations,
                    [&](const Annotation& a) { return coverage[d].at(static_cast<std::size_t>(a.cls)).pseudo; });
    }
  }
  std::size_t added = 0;
  for (std::size_t i = 0; i < labels.images.size(); ++i) {
    ImageEntry& image = datasets[labels.images[i].dataset].images[labels.images[i].image];
    for (const Detection& detection : labels.boxes[i]) {
      image.annotations.push_back(
          {detection.box, detection.cls, false, detection.box.area(), 0, labels.rule.soft ? detection.score : 1});
      ++added;
    }
  }
  return added;
}

}  // namespace conclave
