#include "student/run_facts.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <tuple>

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"

namespace conclave {
namespace {

template <class T>
std::string text(const T& value) {
  return nlohmann::json(value).dump();
}

// How much of each path is the folder that all images share.
std::size_t common_folder(const std::vector<ImageEntry>& images) {
  if (images.empty()) return 0;
  const std::string& first = images.front().path;
  std::size_t same = first.size();
  for (const ImageEntry& image : images) {
    const auto end = first.begin() + static_cast<std::ptrdiff_t>(std::min(same, image.path.size()));
    same = static_cast<std::size_t>(std::mismatch(first.begin(), end, image.path.begin()).first - first.begin());
  }
  const std::size_t slash = first.substr(0, same).rfind('/');
  return slash == std::string::npos ? 0 : slash + 1;
}

std::string hash_of_file(const std::string& path) {
  const std::string bytes = read_file(path);
  return sha256(std::as_bytes(std::span(bytes))).substr(0, 16);
}

std::string weights_text(const LossWeights& weights) {
  return text(std::vector<double>{weights.heat, weights.wh, weights.offset, weights.iou});
}

}  // namespace

std::string content_of(const Dataset& dataset) {
  const std::size_t folder = common_folder(dataset.images);
  nlohmann::json images = nlohmann::json::array();
  for (const ImageEntry& image : dataset.images) {
    nlohmann::json boxes = nlohmann::json::array();
    for (const Annotation& a : image.annotations) {
      boxes.push_back({a.cls, a.crowd, a.box.x0, a.box.y0, a.box.x1, a.box.y1});
    }
    images.push_back({image.path.substr(folder), image.id, image.width, image.height, std::move(boxes)});
  }
  const std::string bytes = nlohmann::json({dataset.labelled, std::move(images)})
                                .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return std::to_string(dataset.images.size()) + " images, " + sha256(std::as_bytes(std::span(bytes))).substr(0, 16);
}

RunFacts run_facts(const RunOptions& options, const std::vector<Dataset>& datasets,
                   const std::vector<TeacherChannels>& teachers, const std::optional<Dataset>& val) {
  RunFacts facts;
  facts["seed"] = text(options.seed);
  facts["classes"] = text(options.classes);
  const Architecture& net = options.model.architecture;
  facts["model.backbone"] = text(net.backbone);
  facts["model.width"] = text(net.width);
  facts["model.neck"] = text(net.neck) + text(net.neck_channels) + text(net.skip);
  facts["model.head_channels"] = text(net.head_channels);
  facts["model.wh"] = net.wh_per_class ? "per_class" : "shared";
  facts["model.normalisation"] = text(options.model.mean) + text(options.model.std);
  const ViewOptions& views = options.views;
  facts["views.size"] = text(std::vector<int>{views.width, views.height});
  facts["views.augmentation"] =
      text(std::vector<double>{views.flip, views.scale_min, views.scale_max, views.shift, views.brightness,
                               views.contrast, views.saturation, views.min_visible});
  for (const auto& [name, probability, range] : std::vector<std::tuple<std::string, double, std::vector<double>>>{
           {"hue", views.hue, {}},
           {"grey", views.grey, {}},
           {"blur", views.blur, {views.blur_min, views.blur_max}},
           {"erase", views.erase, {views.erase_min, views.erase_max}},
           {"mosaic", views.mosaic, {views.mosaic_min, views.mosaic_max}},
           {"mix", views.mix, {views.mix_min, views.mix_max}}}) {
    if (probability > 0) facts["views." + name] = text(probability) + text(range);
  }
  facts["data.views_per_image"] = text(options.views_per_image);
  for (const Dataset& dataset : datasets) facts["train." + dataset.name] = content_of(dataset);

  const TrainOptions& training = options.training;
  facts["training.batch"] = text(training.batch);
  facts["training.ema"] = text(training.ema);
  if (const SwaOptions& swa = training.swa; swa.every > 0) {
    facts["training.swa"] = text(std::vector<double>{swa.from, double(swa.every), double(swa.norm_views)});
  }
  if (!training.init.empty()) {
    facts["training.init"] = hash_of_file(training.init) + (training.init_heads ? " with heads" : "");
  }
  facts["training.norm_eval"] = text(training.norm_eval);
  facts["training.bf16"] = text(training.bf16);
  facts["training.channels_last"] = text(training.channels_last);
  facts["training.device"] = training.device;
  if (training.device == "cpu")
    facts["training.threads"] = text(at::get_num_threads());  // as resolved; decides the bits
  facts["ranks.bf16_gradients"] = text(options.ranks.bf16_gradients);
  const OptimizerOptions& optimizer = training.optimizer;
  facts["training.optimizer"] = text(optimizer.type);
  facts["training.lr"] = text(optimizer.lr);
  facts["training.weight_decay"] = text(optimizer.weight_decay);
  facts["training.momentum"] = text(std::vector<double>{optimizer.momentum, optimizer.beta1, optimizer.beta2});
  facts["training.clip"] = text(optimizer.clip);
  const ScheduleOptions& schedule = training.schedule;
  facts["training.steps"] = text(schedule.steps);
  facts["training.warmup"] = text(schedule.warmup);
  facts["training.schedule"] = text(schedule.type) + text(schedule.milestones);

  const FusionOptions& fusion = options.fusion;
  facts["fusion.method"] = text(static_cast<int>(fusion.method)) + text(fusion.both);
  facts["fusion.loss"] = text(static_cast<int>(fusion.loss));
  facts["fusion.merge"] = text(static_cast<int>(fusion.merge));
  facts["fusion.floor"] = text(fusion.floor);
  facts["fusion.box_floor"] = text(fusion.box_floor);
  facts["fusion.distill"] = weights_text(fusion.distill);
  facts["fusion.label"] = weights_text(fusion.label);
  facts["fusion.min_overlap"] = text(fusion.min_overlap);
  facts["fusion.norm_wh"] = text(fusion.norm_wh);
  facts["fusion.per_class"] = text(fusion.per_class);
  facts["fusion.temperature"] = text(fusion.temperature);
  facts["fusion.cwd"] = text(std::vector<double>{fusion.cwd.weight, fusion.cwd.temperature});
  facts["fusion.cells"] = fusion.cells.peaks ? "peaks " + text(fusion.cells.radius) : "all";
  facts["fusion.box"] = text(static_cast<int>(fusion.box));
  facts["fusion.labels_win"] = text(fusion.labels_win);
  facts["fusion.balance"] = fusion.balance.fixed_value ? weights_text(fusion.balance.value) : "off";
  const PseudoOptions& pseudo = fusion.pseudo;
  facts["fusion.pseudo"] = std::string(pseudo.per_view ? "per_view " : "once ") +
                           (pseudo.threshold ? text(*pseudo.threshold) : "best_f1") + (pseudo.soft ? " soft" : "") +
                           (pseudo.merge == PseudoMerge::kWbf ? " wbf" : " nms");
  if (fusion.method == Method::kPseudo && !pseudo.threshold && val) facts["val." + val->name] = content_of(*val);

  for (std::size_t t = 0; t < teachers.size(); ++t) {
    std::string& fact = facts["teachers." + teachers[t].name];
    fact = text(t);
    fact.append(" ").append(text(teachers[t].student_class)).append(" ").append(text(teachers[t].weight));
    fact.append(" ").append(text(teachers[t].channel_weight)).append(" ").append(weights_text(teachers[t].loss_weight));
    fact.append(" ").append(teachers[t].hash.substr(0, 16));
    if (t >= options.teachers.size()) continue;
    const EngineOptions& engine = options.teachers[t].engine;
    fact.append(" ").append(text(engine.threads)).append(text(engine.bf16)).append(text(engine.channels_last));
  }
  return facts;
}

void check_same_run(const RunFacts& saved, const RunFacts& now, const std::string& where) {
  std::string differences;
  const auto differ = [&](const std::string& key, const std::string& was, const std::string& is) {
    differences += "\n  " + key + ": was " + was + ", now " + is;
  };
  for (const auto& [key, value] : now) {
    const auto found = saved.find(key);
    if (found == saved.end()) {
      differ(key, "absent", value);
    } else if (found->second != value) {
      differ(key, found->second, value);
    }
  }
  for (const auto& [key, value] : saved) {
    if (!now.contains(key)) differ(key, value, "absent");
  }
  if (!differences.empty()) {
    throw Error("the checkpoint belongs to a run with another configuration:" + differences, where,
                "set these back to continue it, or start a new run in another folder", Exit::kUsage);
  }
}

}  // namespace conclave
