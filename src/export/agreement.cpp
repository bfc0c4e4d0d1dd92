#include "export/agreement.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/error.h"
#include "core/join.h"

namespace conclave {
namespace {

void raise_to(double& value, double other) {
  if (!(value >= other)) value = other;  // also when `other` is not a number
}

std::string shape_text(const std::vector<std::string>& sizes) {
  std::string text("(");
  text.append(join(sizes, ",")).append(")");
  return text;
}

std::string shape_text(const at::Tensor& tensor) {
  std::vector<std::string> sizes;
  for (const std::int64_t size : tensor.sizes()) sizes.push_back(std::to_string(size));
  return shape_text(sizes);
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

void check_outputs(const std::vector<at::Tensor>& outputs, GraphOutputs kind, std::int64_t classes, std::int64_t batch,
                   std::int64_t height, std::int64_t width, const std::string& where) {
  const std::vector<std::string> names = output_names(kind);
  const auto wrong = [&](const std::string& what) {
    throw Error(what, where,
                "model.json beside it does not describe this file, or the file is damaged; export it again");
  };
  if (outputs.size() != names.size()) {
    wrong("gives " + std::to_string(outputs.size()) + " outputs, not " + std::to_string(names.size()));
  }
  const auto check = [&](std::size_t i, bool fits, const std::vector<std::string>& expected) {
    if (!fits) wrong("the output " + names[i] + " is " + shape_text(outputs[i]) + ", not " + shape_text(expected));
  };
  const std::string images = std::to_string(batch);
  if (kind == GraphOutputs::kBoxes) {
    const at::Tensor &boxes = outputs[0], &numbers = outputs[2];
    check(0, boxes.dim() == 3 && boxes.size(0) == batch && boxes.size(2) == 4, {images, "K", "4"});
    for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
      const at::Tensor& output = outputs[i];
      check(i, output.dim() == 2 && output.size(0) == batch && output.size(1) == boxes.size(1),
            {images, std::to_string(boxes.size(1))});
    }
    if (numbers.numel() > 0 &&
        !(numbers.min().item<double>() >= 0 && numbers.max().item<double>() < static_cast<double>(classes))) {
      wrong("the output classes has numbers outside of 0 to " + std::to_string(classes - 1));
    }
  } else {
    const std::int64_t rows = height / kStride, columns = width / kStride;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const at::Tensor& output = outputs[i];
      const std::int64_t channels = i == 0 ? classes : 2;
      const bool grid =
          output.dim() == 4 && output.size(0) == batch && output.size(2) == rows && output.size(3) == columns;
      check(i, grid && (output.size(1) == channels || (i == 1 && output.size(1) == 2 * classes)),
            {images, std::to_string(channels), std::to_string(rows), std::to_string(columns)});
    }
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (names[i] == "classes") continue;
    if (!outputs[i].is_floating_point()) wrong("the output " + names[i] + " is not of floating-point numbers");
    if (!at::isfinite(outputs[i]).all().item<bool>()) wrong("the output " + names[i] + " is not finite");
  }
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
    check_outputs(exported, options.outputs, source.heat.size(1), source.heat.size(0), 0, 0, "the exported file");
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
  // Of float16 a few peaks may be others where a weak one hangs by more than a single rounding: of ten, one may be
  // another cell's, which is one missing and one new.
  const std::int64_t differing = agreement.missing + agreement.extra;
  const std::int64_t allowed_peaks =
      half && agreement.peaks >= 10 ? std::max<std::int64_t>(2, agreement.peaks / 50) : 0;
  if (differing > allowed_peaks) {
    text += std::string(text.empty() ? "" : "; ") + std::to_string(agreement.missing) + " of " +
            std::to_string(agreement.peaks) + " peaks are missing and " + std::to_string(agreement.extra) + " are new";
  }
  return text;
}

std::string not_compared(const Agreement& agreement, GraphOutputs outputs) {
  if (agreement.largest_wh == 0 && agreement.largest.empty()) return "there was no image";
  if (outputs == GraphOutputs::kHeads || agreement.peaks > 0) return {};
  char score[16];
  std::snprintf(score, sizeof score, "%.1f", static_cast<double>(kPeakScore));
  return std::string("the network sees nothing above ") + score + " on these images";
}

}  // namespace conclave
