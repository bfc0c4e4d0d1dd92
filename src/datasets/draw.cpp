#include "datasets/draw.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <opencv2/imgproc.hpp>

namespace conclave {
namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
constexpr int kShift = 4;  // fractional bits of drawn coordinates

struct Pen {
  int line = 1;
  double text = 0.35;  // of Hershey's 22 pixel capitals
  int text_line = 1;

  explicit Pen(const cv::Mat& image) {
    const double side = std::min(image.cols, image.rows);
    line = std::max(1, static_cast<int>(std::lround(side / 240)));
    text = std::clamp(side / 900, 0.32, 1.6);
    text_line = text > 0.8 ? 2 : 1;
  }
};

cv::Scalar readable_on(const cv::Scalar& colour) {
  const double light = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2];
  return light > 140 ? cv::Scalar(20, 20, 20) : cv::Scalar(255, 255, 255);
}

cv::Point fixed(float x, float y) {
  return {static_cast<int>(std::lround((x - 0.5F) * (1 << kShift))),
          static_cast<int>(std::lround((y - 0.5F) * (1 << kShift)))};
}

void draw_outline(cv::Mat& rgb, const Box& box, const cv::Scalar& colour, const Pen& pen) {
  const cv::Point a = fixed(box.x0, box.y0), b = fixed(box.x1, box.y1);
  cv::rectangle(rgb, a, b, cv::Scalar(15, 15, 15), pen.line + 2, cv::LINE_AA, kShift);
  cv::rectangle(rgb, a, b, colour, pen.line, cv::LINE_AA, kShift);
}

// Above the box where there is room, else inside it; moved into the image.
void draw_label(cv::Mat& rgb, const Box& box, const std::string& text, const cv::Scalar& colour, const Pen& pen) {
  int below = 0;
  const cv::Size size = cv::getTextSize(text, kFont, pen.text, pen.text_line, &below);
  const int pad = std::max(1, pen.line), width = size.width + 2 * pad, height = size.height + below + pad;
  int x = static_cast<int>(std::floor(box.x0)), y = static_cast<int>(std::floor(box.y0)) - height;
  if (y < 0) y = static_cast<int>(std::floor(box.y0));
  x = std::clamp(x, 0, std::max(0, rgb.cols - width));
  y = std::clamp(y, 0, std::max(0, rgb.rows - height));
  const cv::Rect place = cv::Rect(x, y, width, height) & cv::Rect(0, 0, rgb.cols, rgb.rows);
  if (place.empty()) return;
  cv::Mat area = rgb(place);
  cv::addWeighted(area, 0.15, cv::Mat(area.size(), area.type(), colour), 0.85, 0, area);
  cv::putText(rgb, text, {x + pad, y + size.height + pad}, kFont, pen.text, readable_on(colour), pen.text_line,
              cv::LINE_AA);
}

std::string label_of(const Detection& d, const std::vector<std::string>& classes, const DrawOptions& options) {
  const bool known = d.cls >= 0 && d.cls < static_cast<int>(classes.size());
  std::string text = known ? classes[d.cls] : "class " + std::to_string(d.cls);
  if (!options.suffix.empty()) text += " " + options.suffix;
  if (!options.scores) return text;
  char score[16];
  std::snprintf(score, sizeof score, " %.2f", d.score);
  return text + score;
}

}  // namespace

cv::Scalar class_colour(int cls) {
  static constexpr std::array<std::array<int, 3>, 8> first = {{{230, 159, 0},
                                                               {86, 180, 233},
                                                               {0, 158, 115},
                                                               {240, 228, 66},
                                                               {204, 121, 167},
                                                               {213, 94, 0},
                                                               {0, 114, 178},
                                                               {160, 160, 160}}};
  const auto& c = first[static_cast<std::size_t>(std::max(0, cls)) % first.size()];
  const double fade = 1.0 / (1 + std::max(0, cls) / static_cast<int>(first.size()) * 0.35);
  return {c[0] * fade, c[1] * fade, c[2] * fade};
}

void draw_detections(cv::Mat& rgb, const std::vector<Detection>& detections, const std::vector<std::string>& classes,
                     const DrawOptions& options) {
  const Pen pen(rgb);
  std::vector<Detection> shown;
  for (const Detection& d : detections) {
    if (d.score >= options.min_score) shown.push_back(d);
  }
  std::stable_sort(shown.begin(), shown.end(),
                   [](const Detection& a, const Detection& b) { return a.score < b.score; });
  const auto limit = [&](const Box& box) {
    return clip(box, static_cast<float>(rgb.cols), static_cast<float>(rgb.rows));
  };
  for (const Detection& d : shown) draw_outline(rgb, limit(d.box), class_colour(d.cls), pen);
  for (const Detection& d : shown)
    draw_label(rgb, limit(d.box), label_of(d, classes, options), class_colour(d.cls), pen);
}

cv::Mat overlay_heat(const cv::Mat& rgb, const cv::Mat& heat, const cv::Scalar& colour, double strength) {
  cv::Mat stretched, result = rgb.clone();
  cv::resize(heat, stretched, rgb.size(), 0, 0, cv::INTER_LINEAR);
  for (int y = 0; y < rgb.rows; ++y) {
    const float* h = stretched.ptr<float>(y);
    auto* p = result.ptr<cv::Vec3b>(y);
    for (int x = 0; x < rgb.cols; ++x) {
      const double share = std::sqrt(std::clamp<double>(h[x], 0, 1)) * strength;
      for (int c = 0; c < 3; ++c) p[x][c] = cv::saturate_cast<std::uint8_t>(p[x][c] * (1 - share) + colour[c] * share);
    }
  }
  return result;
}

cv::Mat montage(const std::vector<Tile>& tiles, int columns) {
  if (tiles.empty()) return {};
  columns = std::clamp(columns, 1, static_cast<int>(tiles.size()));
  const int rows = (static_cast<int>(tiles.size()) + columns - 1) / columns;
  const int tile_height = tiles.front().image.rows;
  std::vector<cv::Mat> scaled;
  int tile_width = 0;
  for (const Tile& tile : tiles) {
    const int width = std::max(
        1, static_cast<int>(std::lround(static_cast<double>(tile.image.cols) * tile_height / tile.image.rows)));
    cv::Mat image;
    cv::resize(tile.image, image, {width, tile_height}, 0, 0,
               tile_height < tile.image.rows ? cv::INTER_AREA : cv::INTER_LINEAR);
    tile_width = std::max(tile_width, width);
    scaled.push_back(image);
  }
  const double text = std::clamp(tile_height / 480.0, 0.4, 1.2);
  const int gap = std::max(4, tile_height / 48), caption = static_cast<int>(34 * text) + gap;
  cv::Mat page(rows * (tile_height + caption + gap) + gap, columns * (tile_width + gap) + gap, CV_8UC3,
               cv::Scalar::all(255));
  for (std::size_t i = 0; i < scaled.size(); ++i) {
    const int x = gap + static_cast<int>(i) % columns * (tile_width + gap);
    const int y = gap + static_cast<int>(i) / columns * (tile_height + caption + gap);
    cv::putText(page, tiles[i].caption, {x, y + static_cast<int>(24 * text)}, kFont, text, cv::Scalar(40, 40, 40),
                text > 0.8 ? 2 : 1, cv::LINE_AA);
    scaled[i].copyTo(page(cv::Rect(x, y + caption, scaled[i].cols, scaled[i].rows)));
  }
  return page;
}

}  // namespace conclave
