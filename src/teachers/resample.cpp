#include "teachers/resample.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace conclave {
namespace {

constexpr float kLeastPeak = 0.01f;   // probability; weaker ones need not stay peaks
constexpr double kLeastReach = 4;     // cells over which a shift fades out
constexpr double kReachPerShift = 3;  // and at least so many times its length
constexpr float kLeastP = 1e-6f;      // what a logit is computed from stays within [this, 1 - this]

struct Peak {
  int cls = 0, x = 0, y = 0;         // in the network's grid
  int to_x = 0, to_y = 0;            // the cell that holds its centre in the view's grid
  float centre_x = 0, centre_y = 0;  // in cells of the view
  double shift_x = 0, shift_y = 0;   // of places, in cells of the network
  double reach = 0;                  // in cells of the view
  float logit = 0, p = 0;
};

float probability(float logit) {
  return 1 / (1 + std::exp(-logit));
}

float logit_of(float p) {
  const float q = std::clamp(p, kLeastP, 1 - kLeastP);
  return std::log(q / (1 - q));
}

// One axis: cells of the view <-> cells of the network, both counted from their edge (cell i covers [i, i+1)).
struct Axis {
  double scale = 1, shift = 0;  // network = scale * view + shift
  Axis(double factor, double offset, double stride) : scale(factor * kStride / stride), shift(offset / stride) {}
  double to_net(double view) const { return scale * view + shift; }
  double to_view(double net) const { return (net - shift) / scale; }
};

class Resampling {
 public:
  Resampling(const HeadOutputs& heads, const NetGrid& grid, int height, int width)
      : x_(grid.view_to_input.a, grid.view_to_input.c, grid.stride_x),
        y_(grid.view_to_input.e, grid.view_to_input.f, grid.stride_y),
        height_(height),
        width_(width),
        from_height_(static_cast<int>(heads.heat.size(2))),
        from_width_(static_cast<int>(heads.heat.size(3))),
        classes_(static_cast<int>(heads.heat.size(1))),
        wh_pairs_(static_cast<int>(heads.wh.size(1)) / 2),
        logits_(heads.heat.const_data_ptr<float>()),
        wh_(heads.wh.const_data_ptr<float>()),
        offset_(heads.offset.const_data_ptr<float>()),
        p_(static_cast<std::size_t>(classes_) * from_plane()) {
    for (std::size_t i = 0; i < p_.size(); ++i) p_[i] = probability(logits_[i]);
  }

  HeadOutputs run() {
    HeadOutputs out{at::empty({1, classes_, height_, width_}, at::kFloat),
                    at::empty({1, 2 * wh_pairs_, height_, width_}, at::kFloat),
                    at::empty({1, 2, height_, width_}, at::kFloat)};
    std::vector<Peak> all;
    for (int c = 0; c < classes_; ++c) {
      const std::vector<Peak> peaks = find_peaks(c);
      resample_heat(c, peaks, out.heat.data_ptr<float>() + static_cast<std::size_t>(c) * plane());
      all.insert(all.end(), peaks.begin(), peaks.end());
    }
    resample_boxes(std::move(all), out.wh.data_ptr<float>(), out.offset.data_ptr<float>());
    return out;
  }

 private:
  std::size_t plane() const { return static_cast<std::size_t>(height_) * static_cast<std::size_t>(width_); }
  std::size_t from_plane() const {
    return static_cast<std::size_t>(from_height_) * static_cast<std::size_t>(from_width_);
  }
  std::size_t from_cell(int x, int y) const {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(from_width_) + static_cast<std::size_t>(x);
  }
  std::size_t cell(int x, int y) const {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(x);
  }

  bool is_peak(const float* p, int x, int y) const {
    const float own = p[from_cell(x, y)];
    if (own < kLeastPeak) return false;
    for (int v = std::max(0, y - 1); v <= std::min(from_height_ - 1, y + 1); ++v) {
      for (int u = std::max(0, x - 1); u <= std::min(from_width_ - 1, x + 1); ++u) {
        if (p[from_cell(u, v)] > own) return false;
      }
    }
    return true;
  }

  std::vector<Peak> find_peaks(int cls) const {
    const float* p = p_.data() + static_cast<std::size_t>(cls) * from_plane();
    std::vector<Peak> peaks;
    for (int y = 0; y < from_height_; ++y) {
      for (int x = 0; x < from_width_; ++x) {
        if (!is_peak(p, x, y)) continue;
        const std::size_t at = from_cell(x, y);
        Peak peak;
        peak.cls = cls;
        peak.x = x;
        peak.y = y;
        peak.centre_x = static_cast<float>(x_.to_view(x + static_cast<double>(offset_[at])));
        peak.centre_y = static_cast<float>(y_.to_view(y + static_cast<double>(offset_[from_plane() + at])));
        if (!(peak.centre_x >= 0 && peak.centre_y >= 0 && peak.centre_x < static_cast<float>(width_) &&
              peak.centre_y < static_cast<float>(height_))) {
          continue;
        }
        peak.to_x = static_cast<int>(peak.centre_x);
        peak.to_y = static_cast<int>(peak.centre_y);
        peak.shift_x = x + 0.5 - x_.to_net(peak.to_x + 0.5);
        peak.shift_y = y + 0.5 - y_.to_net(peak.to_y + 0.5);
        const double longest = std::max(std::abs(peak.shift_x) / x_.scale, std::abs(peak.shift_y) / y_.scale);
        peak.reach = std::max(kLeastReach, kReachPerShift * longest);
        peak.logit = logits_[static_cast<std::size_t>(cls) * from_plane() + at];
        peak.p = p[at];
        peaks.push_back(peak);
      }
    }
    // Rising: whoever comes later on one cell is the stronger.
    std::stable_sort(peaks.begin(), peaks.end(), [](const Peak& a, const Peak& b) { return a.logit < b.logit; });
    return peaks;
  }

  // For each cell of the view the nearest peak within its reach, or -1; of equally near ones the strongest.
  std::vector<int> nearest_peaks(const std::vector<Peak>& peaks) const {
    std::vector<int> owner(plane(), -1);
    std::vector<float> nearest(plane(), 1e30f);
    for (std::size_t i = 0; i < peaks.size(); ++i) {
      const Peak& peak = peaks[i];
      const int reach = static_cast<int>(peak.reach);
      for (int y = std::max(0, peak.to_y - reach); y <= std::min(height_ - 1, peak.to_y + reach); ++y) {
        for (int x = std::max(0, peak.to_x - reach); x <= std::min(width_ - 1, peak.to_x + reach); ++x) {
          const auto distance = static_cast<float>(std::hypot(x - peak.to_x, y - peak.to_y));
          if (distance >= static_cast<float>(peak.reach) || distance > nearest[cell(x, y)]) continue;
          nearest[cell(x, y)] = distance;
          owner[cell(x, y)] = static_cast<int>(i);
        }
      }
    }
    return owner;
  }

  struct Place {
    double x, y;
  };
  // Where in the network's grid, edges at whole numbers, a cell of the view looks.
  Place place_of(int x, int y, const Peak* peak) const {
    Place place{x_.to_net(x + 0.5), y_.to_net(y + 0.5)};
    if (peak == nullptr) return place;
    const double share = std::max(0.0, 1 - std::hypot(x - peak->to_x, y - peak->to_y) / peak->reach);
    place.x += share * peak->shift_x;
    place.y += share * peak->shift_y;
    return place;
  }

  float bilinear(const float* p, Place place) const {
    const double x = std::clamp(place.x - 0.5, 0.0, from_width_ - 1.0);
    const double y = std::clamp(place.y - 0.5, 0.0, from_height_ - 1.0);
    const int left = static_cast<int>(x), top = static_cast<int>(y);
    const int right = std::min(left + 1, from_width_ - 1), bottom = std::min(top + 1, from_height_ - 1);
    const auto u = static_cast<float>(x - left), v = static_cast<float>(y - top);
    const float upper = p[from_cell(left, top)] * (1 - u) + p[from_cell(right, top)] * u;
    const float lower = p[from_cell(left, bottom)] * (1 - u) + p[from_cell(right, bottom)] * u;
    return upper * (1 - v) + lower * v;
  }

  void resample_heat(int cls, const std::vector<Peak>& peaks, float* out) const {
    const float* p = p_.data() + static_cast<std::size_t>(cls) * from_plane();
    const std::vector<int> owner = nearest_peaks(peaks);
    for (int y = 0; y < height_; ++y) {
      for (int x = 0; x < width_; ++x) {
        const int at = owner[cell(x, y)];
        const Peak* peak = at < 0 ? nullptr : &peaks[static_cast<std::size_t>(at)];
        float logit = logit_of(bilinear(p, place_of(x, y, peak)));
        if (peak != nullptr && std::abs(x - peak->to_x) <= 1 && std::abs(y - peak->to_y) <= 1)
          logit = x == peak->to_x && y == peak->to_y ? peak->logit : std::min(logit, peak->logit);
        out[cell(x, y)] = logit;
      }
    }
  }

  // One width and height, in the view's cells; class c's are pair c where each class has its own.
  void copy_size(int pair, std::size_t from, std::size_t to, float* wh) const {
    const auto w = static_cast<std::size_t>(2 * pair), h = w + 1;
    wh[w * plane() + to] = wh_[w * from_plane() + from] / static_cast<float>(x_.scale);
    wh[h * plane() + to] = wh_[h * from_plane() + from] / static_cast<float>(y_.scale);
  }

  void resample_boxes(std::vector<Peak> peaks, float* wh, float* offset) const {
    std::stable_sort(peaks.begin(), peaks.end(), [](const Peak& a, const Peak& b) { return a.logit < b.logit; });
    const std::vector<int> owner = nearest_peaks(peaks);
    for (int y = 0; y < height_; ++y) {
      for (int x = 0; x < width_; ++x) {
        const int at = owner[cell(x, y)];
        const Place place = place_of(x, y, at < 0 ? nullptr : &peaks[static_cast<std::size_t>(at)]);
        const int u = std::clamp(static_cast<int>(std::floor(place.x)), 0, from_width_ - 1);
        const int v = std::clamp(static_cast<int>(std::floor(place.y)), 0, from_height_ - 1);
        const std::size_t from = from_cell(u, v), to = cell(x, y);
        for (int pair = 0; pair < wh_pairs_; ++pair) copy_size(pair, from, to, wh);
        const double centre_x = x_.to_view(u + static_cast<double>(offset_[from]));
        const double centre_y = y_.to_view(v + static_cast<double>(offset_[from_plane() + from]));
        offset[to] = static_cast<float>(std::clamp(centre_x - x, 0.0, 1.0));
        offset[plane() + to] = static_cast<float>(std::clamp(centre_y - y, 0.0, 1.0));
      }
    }
    for (const Peak& peak : peaks) {
      const std::size_t from = from_cell(peak.x, peak.y), to = cell(peak.to_x, peak.to_y);
      copy_size(wh_pairs_ == 1 ? 0 : peak.cls, from, to, wh);
      offset[to] = peak.centre_x - static_cast<float>(peak.to_x);
      offset[plane() + to] = peak.centre_y - static_cast<float>(peak.to_y);
    }
  }

  const Axis x_, y_;
  const int height_, width_, from_height_, from_width_, classes_, wh_pairs_;
  const float* const logits_;
  const float* const wh_;
  const float* const offset_;
  std::vector<float> p_;  // probabilities of all classes
};

}  // namespace

HeadOutputs resample(const HeadOutputs& heads, const NetGrid& grid, int height, int width) {
  return Resampling(heads, grid, height, width).run();
}

}  // namespace conclave
