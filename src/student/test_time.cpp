#include "student/test_time.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.h"

namespace conclave {
namespace {

constexpr int kMultiple = 32;

int side_at(int side, double scale) {
  return std::max(kMultiple, static_cast<int>(std::lround(side * scale / kMultiple)) * kMultiple);
}

}  // namespace

HeadOutputs average_with_mirrored(const HeadOutputs& heads, const HeadOutputs& mirrored) {
  const auto back = [](const at::Tensor& head) { return head.flip(-1); };
  return {((heads.heat.sigmoid() + back(mirrored.heat).sigmoid()) / 2).logit(), (heads.wh + back(mirrored.wh)) / 2,
          heads.offset};
}

ViewOptions at_scale(const ViewOptions& views, double scale) {
  ViewOptions scaled = views;
  if (scale != 1) {
    scaled.width = side_at(views.width, scale);
    scaled.height = side_at(views.height, scale);
  }
  return scaled;
}

void check_test_time(const TestTime& options, const ViewOptions& views) {
  const auto fail = [](const std::string& what) {
    throw Error(what, "--scales", "for example --scales 0.75,1,1.25", Exit::kUsage);
  };
  if (options.scales.empty()) fail("no scale is given");
  std::set<std::pair<int, int>> sizes;
  for (const double scale : options.scales) {
    if (!(scale >= 0.1 && scale <= 8)) fail("a scale must lie between 0.1 and 8");
    const ViewOptions scaled = at_scale(views, scale);
    if (!sizes.insert({scaled.width, scaled.height}).second) {
      fail("two scales give the same input of " + std::to_string(scaled.width) + "x" + std::to_string(scaled.height) +
           " pixels; sides are multiples of 32");
    }
  }
}

}  // namespace conclave
