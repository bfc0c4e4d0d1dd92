#include "student/evaluate.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <type_traits>

#include "core/error.h"
#include "core/stop.h"
#include "datasets/loader.h"
#include "student/device.h"

namespace conclave {
namespace {

// Puts a model in evaluation mode for a while.
class EvalMode {
 public:
  explicit EvalMode(torch::nn::Module& model) : model_(model), training_(model.is_training()) { model_.eval(); }
  ~EvalMode() { model_.train(training_); }
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;

 private:
  torch::nn::Module& model_;
  bool training_;
};

// Values as bytes; ranks run on machines of one kind.
template <class T>
void append(std::string& bytes, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
T take_from(std::string_view& bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return value;
}

// On rank 0: the detections of every rank, one after the other.
std::vector<std::vector<Detection>> joined(std::vector<std::vector<Detection>> own, ProcessGroup& ranks) {
  if (ranks.size() == 1) return own;
  std::string bytes;
  for (const std::vector<Detection>& image : own) {
    append(bytes, image.size());
    for (const Detection& detection : image) append(bytes, detection);
  }
  std::vector<std::vector<Detection>> all;
  for (const std::string& part : ranks.gather(bytes)) {
    for (std::string_view rest = part; !rest.empty();) {
      std::vector<Detection>& image = all.emplace_back(take_from<std::size_t>(rest));
      for (Detection& detection : image) detection = take_from<Detection>(rest);
    }
  }
  return all;
}

// Rank 0's result, on every rank.
ApResult shared(const ApResult& result, ProcessGroup& ranks) {
  std::string bytes;
  append(bytes, result.all);
  for (const ApSummary& own : result.per_class) append(bytes, own);
  const std::string everywhere = ranks.broadcast(bytes);
  std::string_view rest = everywhere;
  ApResult same;
  same.all = take_from<ApSummary>(rest);
  while (!rest.empty()) same.per_class.push_back(take_from<ApSummary>(rest));
  return same;
}

}  // namespace

RunNetwork run_detector(Detector& model, const EvaluateOptions& options) {
  return [&model, device = device_of(options.device), bf16 = options.bf16,
          channels_last = options.channels_last](const at::Tensor& pixels) {
    at::Tensor images = normalise(pixels.to(device), model.spec());
    if (channels_last) images = images.contiguous(at::MemoryFormat::ChannelsLast);
    const at::NoGradGuard no_grad;
    const Autocast autocast(device, bf16);
    const HeadOutputs heads = model.forward(images);
    const auto plain = [](const at::Tensor& head) { return head.to(at::kFloat).cpu().contiguous(); };
    return NetworkAnswer{{plain(heads.heat), plain(heads.wh), plain(heads.offset)}, std::nullopt};
  };
}

std::vector<std::vector<Detection>> detect(Detector& model, const Dataset& dataset, const ViewOptions& views,
                                           const EvaluateOptions& options, ImageRange range) {
  const at::NoGradGuard no_grad;
  place(model, device_of(options.device), options.channels_last);
  const EvalMode eval_mode(model);
  return detect(run_detector(model, options), dataset, views, options, range);
}

std::vector<std::vector<Detection>> detect(const RunNetwork& network, const Dataset& dataset, const ViewOptions& views,
                                           const EvaluateOptions& options, ImageRange range) {
  const std::vector<Dataset> sets = {dataset};
  std::vector<std::unique_ptr<Loader>> loaders;  // one per scale
  for (const double scale : options.test_time.scales) {
    loaders.push_back(std::make_unique<Loader>(sets, at_scale(views, scale), std::max(1, options.loader_threads)));
  }
  const std::size_t images = std::min(dataset.images.size(), range.end);
  const std::size_t batch = static_cast<std::size_t>(std::max(1, options.batch));
  std::vector<std::vector<Detection>> detections;
  std::size_t asked = range.first;
  for (std::size_t first = range.first; first < images; first += batch) {
    if (stop_requested()) throw Error("interrupted while evaluating", dataset.name, {}, Exit::kInterrupted);
    for (const std::size_t ahead = std::min(images, first + 2 * batch); asked < ahead; ++asked) {
      for (const auto& loader : loaders) loader->ask({0, static_cast<std::uint32_t>(asked), kPlainView});
    }
    std::vector<Sight> sights;
    for (std::size_t i = first; i < std::min(images, first + batch); ++i) {
      Sight& sight = sights.emplace_back(Sight{dataset.images[i].width, dataset.images[i].height, {}});
      for (const auto& loader : loaders) sight.looks.push_back(loader->take());
    }
    for (auto& found : detect(network, sights, options.test_time, options.decode)) {
      detections.push_back(std::move(found));
    }
  }
  return detections;
}

ApResult evaluate_detector(Detector& model, const Dataset& dataset, const ViewOptions& views,
                           const EvaluateOptions& options, ProcessGroup& ranks) {
  const std::size_t images = dataset.images.size();
  const auto border = [&](int rank) {
    return images * static_cast<std::size_t>(rank) / static_cast<std::size_t>(ranks.size());
  };
  std::vector<std::vector<Detection>> own;
  ranks.together([&] {
    own = detect(model, dataset, views, options, {border(ranks.rank()), border(ranks.rank() + 1)});
  });
  const std::vector<std::vector<Detection>> all = joined(std::move(own), ranks);
  ApResult result;
  ranks.together([&] {
    if (ranks.writes()) result = coco_ap(dataset, all, dataset.labelled);
  });
  return shared(result, ranks);
}

nlohmann::ordered_json ap_json(const ApSummary& summary) {
  return {{"ap", summary.ap},
          {"ap50", summary.ap50},
          {"ap75", summary.ap75},
          {"ap_small", summary.ap_small},
          {"ap_medium", summary.ap_medium},
          {"ap_large", summary.ap_large},
          {"ar1", summary.ar1},
          {"ar10", summary.ar10},
          {"ar100", summary.ar100},
          {"ar_small", summary.ar_small},
          {"ar_medium", summary.ar_medium},
          {"ar_large", summary.ar_large}};
}

nlohmann::ordered_json ap_json(const ApResult& result, const Dataset& dataset) {
  nlohmann::ordered_json json = {{"set", dataset.name}, {"images", dataset.images.size()}};
  json.update(ap_json(result.all));
  nlohmann::ordered_json per_class = nlohmann::ordered_json::object();
  for (std::size_t c = 0; c < dataset.classes.size(); ++c) {
    if (dataset.labelled[c]) per_class[dataset.classes[c]] = ap_json(result.per_class.at(c));
  }
  json["per_class"] = std::move(per_class);
  return json;
}

}  // namespace conclave
