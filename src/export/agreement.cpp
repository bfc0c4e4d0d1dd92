#include "export/agreement.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/error.h"

namespace conclave {
namespace {

void raise_to(double& value, double other) {
  if (!(value >= other)) value = other;  // also when `other` is not a number
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return a.numel() == 0 ? 0 : (a - b).abs().max().item<double>();
}

// Two probabilities nearer than this may change places.
double nearness(bool half) {
  return half ? 2e-2 : 2e-5;
}

// p: the source's probabilities (B,C,h,w); `kept`: p of the exported file's peaks, 0 elsewhere.
void compare_peaks(Agreement& agreement, const at::Tensor& p, const at::Tensor& kept, bool half) {
  const double near = nearness(half);
  const at::Tensor own = keep_peaks(p);
  const at::Tensor wanted = own > kPeakScore, given = kept > kPeakScore;
  // The highest of the other eight: what a peak has to be above of.
  const auto inf = std::numeric_limits<double>::infinity();
  at::Tensor around = at::constant_pad_nd(p, {1, 1, 1, 1}, -inf).unfold(2, 3, 1).unfold(3, 3, 1).flatten(4).clone();
  around.select(4, 4).fill_(-inf);
  const at::Tensor hangs = ((p - around.amax(4)).abs() < near) | ((p - kPeakScore).abs() < near);
  agreement.peaks += wanted.sum().item<std::int64_t>();
  agreement.missing += (wanted & ~given & ~hangs).sum().item<std::int64_t>();
  agreement.extra += (given & ~wanted & ~hangs).sum().item<std::int64_t>();
  const at::Tensor both = wanted & given;
  raise_to(agreement.largest["peaks"], largest_difference(own.masked_select(both), kept.masked_select(both)));
}

double largest_difference(const Box& a, const Box& b) {
  return std::max({std::abs(a.x0 - b.x0), std::abs(a.y0 - b.y0), std::abs(a.x1 - b.x1), std::abs(a.y1 - b.y1)});
}

// Each of `own` takes the nearest of `others` that has its class and is not taken yet.
void compare_boxes(Agreement& agreement, const std::vector<Detection>& own, std::vector<Detection> others, bool half) {
  constexpr double kSame = 1.0;  // pixels: further away is another object
  const double near = nearness(half);
  for (const Detection& wanted : own) {
    auto best = others.end();
    double distance = kSame;
    for (auto it = others.begin(); it != others.end(); ++it) {
      const double between = largest_difference(wanted.box, it->box);
      if (it->cls == wanted.cls && between < distance) {
        best = it;
        distance = between;
      }
    }
    if (best == others.end()) {
      if (wanted.score - kPeakScore > near) ++agreement.missing;
      continue;
    }
    raise_to(agreement.largest["boxes"], distance);
    raise_to(agreement.largest["scores"], std::abs(best->score - wanted.score));
    others.erase(best);
  }
  agreement.peaks += static_cast<std::int64_t>(own.size());
  agreement.extra += std::count_if(others.begin(), others.end(),
                                   [&](const Detection& other) { return other.score - kPeakScore > near; });
}

}  // namespace

std::vector<std::string> output_names(GraphOutputs outputs) {
  switch (outputs) {
    case GraphOutputs::kHeads:
      return {"heat", "wh", "offset"};
    case GraphOutputs::kPeaks:
      return {"peaks", "wh", "offset"};
    case GraphOutputs::kBoxes:
      break;
  }
  return {"boxes", "scores", "classes"};
}

std::vector<std::vector<Detection>> detections_of(const std::vector<at::Tensor>& outputs, GraphOutputs kind,
                                                  const DecodeOptions& options) {
  const at::Tensor& first = outputs.at(0);
  if (kind == GraphOutputs::kHeads) return decode({first, outputs.at(1), outputs.at(2)}, options);
  if (kind == GraphOutputs::kPeaks) return decode({first.logit(), outputs.at(1), outputs.at(2)}, options);
  std::vector<std::vector<Detection>> images(static_cast<std::size_t>(first.size(0)));
  for (std::int64_t b = 0; b < first.size(0); ++b) {
    for (std::int64_t k = 0; k < std::min<std::int64_t>(first.size(1), options.top_k); ++k) {
      const auto score = outputs.at(1)[b][k].item<float>();
      if (!(score > 0 && score >= options.threshold)) break;
      const at::Tensor row = first[b][k].contiguous();
      const float* box = row.const_data_ptr<float>();
      images[static_cast<std::size_t>(b)].push_back(
          {{box[0], box[1], box[2], box[3]}, outputs.at(2)[b][k].item<int>(), score});
    }
  }
  return images;
}

void Agreement::add(const HeadOutputs& source, const std::vector<at::Tensor>& exported, const GraphOptions& options) {
  const std::vector<std::string> names = output_names(options.outputs);
  if (exported.size() != names.size()) throw Error("has " + std::to_string(exported.size()) + " outputs, not 3");
  raise_to(largest_wh, source.wh.abs().max().item<double>());
  if (options.outputs == GraphOutputs::kBoxes) {
    const DecodeOptions decoding{options.top_k, kPeakScore};
    const auto own = decode(source, decoding), others = detections_of(exported, options.outputs, decoding);
    for (std::size_t i = 0; i < own.size(); ++i) compare_boxes(*this, own[i], others.at(i), options.half);
    return;
  }
  const at::Tensor* heads[] = {&source.heat, &source.wh, &source.offset};
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (exported[i].sizes() != heads[i]->sizes()) {
      throw Error("the output " + names[i] + " has another shape than the source's");
    }
    if (names[i] != "peaks") raise_to(largest[names[i]], largest_difference(exported[i], *heads[i]));
  }
  const bool heat = options.outputs == GraphOutputs::kHeads;
  compare_peaks(*this, source.heat.sigmoid(), heat ? keep_peaks(exported[0].sigmoid()) : exported[0], options.half);
}

std::map<std::string, double> allowed_differences(const Agreement& agreement, bool half) {
  const double sides = std::max(1.0, agreement.largest_wh);
  if (half) {
    return {{"heat", 0.1}, {"wh", 0.02 * sides}, {"offset", 0.05}, {"peaks", 0.02}, {"boxes", 0.5}, {"scores", 0.02}};
  }
  return {{"heat", 1e-4},  {"wh", 1e-4 * sides},    {"offset", 1e-4},
          {"peaks", 2e-5}, {"boxes", 2e-3 * sides}, {"scores", 2e-5}};
}

std::string disagreement(const Agreement& agreement, bool half) {
  std::string text;
  const auto allowed = allowed_differences(agreement, half);
  for (const auto& [name, value] : agreement.largest) {
    if (value <= allowed.at(name)) continue;
    char line[128];
    std::snprintf(line, sizeof line, "%s%s differs by %.3g, more than %.3g", text.empty() ? "" : "; ", name.c_str(),
                  value, allowed.at(name));
    text += line;
  }
  if (!half && agreement.missing + agreement.extra > 0) {
    text += std::string(text.empty() ? "" : "; ") + std::to_string(agreement.missing) + " of " +
            std::to_string(agreement.peaks) + " peaks are missing and " + std::to_string(agreement.extra) + " are new";
  }
  return text;
}

}  // namespace conclave
