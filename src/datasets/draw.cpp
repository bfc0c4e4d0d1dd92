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
  double text = 0.5;  // of Hershey's capitals, 22 pixels high at 1
  int pad = 2;        // between a tag's edge and its text

  explicit Pen(const cv::Mat& image) {
    const double side = std::min(image.cols, image.rows);
    line = std::max(1, static_cast<int>(std::lround(side / 240)));
    text = std::clamp(side / 1100, 0.36, 1.6);
    pad = std::max(2, static_cast<int>(std::lround(7 * text)));
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

constexpr int kSharper = 4;      // text is drawn larger and shrunk: its strokes are then of any width
constexpr double kStroke = 2.2;  // of the text at scale 1, pixels

cv::Size text_size(const std::string& text, const Pen& pen, int& below) {
  const cv::Size large = cv::getTextSize(text, kFont, pen.text * kSharper, 1, &below);
  below = (below + kSharper - 1) / kSharper;
  return {(large.width + kSharper - 1) / kSharper, (large.height + kSharper - 1) / kSharper};
}

cv::Size tag_size(const std::string& text, const Pen& pen) {
  int below = 0;
  const cv::Size size = text_size(text, pen, below);
  return {size.width + 2 * pen.pad, size.height + 2 * pen.pad};
}

// A filled tag with its text; `place` lies inside the image.
void draw_tag(cv::Mat& rgb, const cv::Rect& place, const std::string& text, const cv::Scalar& colour, const Pen& pen) {
  if (place.empty()) return;
  int below = 0;
  const cv::Size size = text_size(text, pen, below);
  cv::Mat area = rgb(place), large(place.size() * kSharper, CV_8UC1, cv::Scalar(0)), mask;
  const int stroke = std::max(1, static_cast<int>(std::lround(kStroke * pen.text * kSharper)));
  cv::putText(large, text, cv::Point(pen.pad, pen.pad + size.height) * kSharper, kFont, pen.text * kSharper,
              cv::Scalar(255), stroke, cv::LINE_AA);
  cv::resize(large, mask, place.size(), 0, 0, cv::INTER_AREA);
  cv::addWeighted(area, 0.1, cv::Mat(area.size(), area.type(), colour), 0.9, 0, area);
  const cv::Scalar ink = readable_on(colour);
  for (int y = 0; y < area.rows; ++y) {
    const auto* m = mask.ptr<std::uint8_t>(y);
    auto* p = area.ptr<cv::Vec3b>(y);
    for (int x = 0; x < area.cols; ++x) {
      for (int c = 0; c < 3; ++c) p[x][c] = cv::saturate_cast<std::uint8_t>(p[x][c] + (ink[c] - p[x][c]) * m[x] / 255);
    }
  }
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

std::vector<cv::Rect> place_tags(const std::vector<Box>& boxes, const std::vector<cv::Size>& sizes, cv::Size image) {
  const cv::Rect whole({0, 0}, image);
  std::vector<cv::Rect> placed;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    const cv::Size size = sizes.at(i);
    const auto floor = [](float value) { return static_cast<int>(std::floor(value)); };
    const int left = floor(boxes[i].x0), right = floor(boxes[i].x1) - size.width;
    const int above = floor(boxes[i].y0) - size.height, top = floor(boxes[i].y0), bottom = floor(boxes[i].y1);
    const cv::Point places[] = {{left, above},  {left, top},  {left, bottom},
                                {right, above}, {right, top}, {right, bottom}};
    cv::Rect best;
    int least = -1;
    for (const cv::Point& place : places) {
      if (place.y < 0 && top >= 0 && top + size.height <= image.height) continue;  // no room above, but inside
      const cv::Rect tag = cv::Rect({std::clamp(place.x, 0, std::max(0, image.width - size.width)),
                                     std::clamp(place.y, 0, std::max(0, image.height - size.height))},
                                    size) &
                           whole;
      int covered = 0;
      for (const cv::Rect& earlier : placed) covered += (earlier & tag).area();
      if (least < 0 || covered < least) {
        best = tag;
        least = covered;
      }
      if (covered == 0) break;
    }
    placed.push_back(best);
  }
  return placed;
}

void draw_detections(cv::Mat& rgb, const std::vector<Detection>& detections, const std::vector<std::string>& classes,
                     const DrawOptions& options) {
  const Pen pen(rgb);
  std::vector<Detection> shown;
  for (const Detection& d : detections) {
    if (d.score >= options.min_score) shown.push_back(d);
  }
  std::stable_sort(shown.begin(), shown.end(),
                   [](const Detection& a, const Detection& b) { return a.score > b.score; });
  std::vector<Box> boxes;
  std::vector<std::string> texts;
  std::vector<cv::Size> sizes;
  for (const Detection& d : shown) {
    boxes.push_back(clip(d.box, static_cast<float>(rgb.cols), static_cast<float>(rgb.rows)));
    texts.push_back(label_of(d, classes, options));
    sizes.push_back(tag_size(texts.back(), pen));
  }
  const std::vector<cv::Rect> tags = place_tags(boxes, sizes, rgb.size());
  for (std::size_t i = shown.size(); i-- > 0;) draw_outline(rgb, boxes[i], class_colour(shown[i].cls), pen);
  for (std::size_t i = shown.size(); i-- > 0;) draw_tag(rgb, tags[i], texts[i], class_colour(shown[i].cls), pen);
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

cv::Mat heat_on_image(const cv::Mat& heat, int stride, const Affine& image_to_view, int width, int height) {
  // OpenCV's coordinates are of pixel centres: x_cv = x - 0.5. Image pixel -> view pixel -> cell.
  const Affine& m = image_to_view;
  const double s = stride;
  const cv::Matx23d to_cell(m.a / s, m.b / s, (0.5 * (m.a + m.b) + m.c) / s - 0.5,  //
                            m.d / s, m.e / s, (0.5 * (m.d + m.e) + m.f) / s - 0.5);
  cv::Mat placed;
  cv::warpAffine(heat, placed, to_cell, {width, height}, cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_CONSTANT);
  return placed;
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
