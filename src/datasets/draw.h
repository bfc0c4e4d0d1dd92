#pragma once

#include <opencv2/core/mat.hpp>
#include <string>
#include <vector>

#include "core/detection.h"
#include "core/geometry.h"

namespace conclave {

// All images are (H,W,3) uint8 in RGB order.

// Colours that stay apart, also for people with colour-blindness (Okabe and Ito's palette first).
cv::Scalar class_colour(int cls);

struct DrawOptions {
  float min_score = 0;  // weaker detections are left out
  bool scores = true;   // print the score beside the name
  std::string suffix;   // after each name ("teacher")
};

// Where tags of these sizes go, pixels: boxes[0] chooses first. A tag lies inside the image, cut where it is larger;
// above its box at the left, else where it covers no earlier tag (inside or below the box, or at its right), else where
// it covers the least of them.
std::vector<cv::Rect> place_tags(const std::vector<Box>& boxes, const std::vector<cv::Size>& sizes, cv::Size image);

// Draws boxes with "name 0.87" on a filled tag, the strongest on top. Line and text sizes follow the image's size.
void draw_detections(cv::Mat& rgb, const std::vector<Detection>& detections, const std::vector<std::string>& classes,
                     const DrawOptions& options = {});

// Blends a heat map, (h,w) float in [0,1], stretched over the image, in one colour: `strength` of it where heat is 1.
cv::Mat overlay_heat(const cv::Mat& rgb, const cv::Mat& heat, const cv::Scalar& colour, double strength = 0.75);

// A heat map of a view, (h,w) float with cells of `stride` view pixels, brought back onto the image: (height,width)
// float, 0 where the view shows nothing of it.
cv::Mat heat_on_image(const cv::Mat& heat, int stride, const Affine& image_to_view, int width, int height);

struct Tile {
  std::string caption;
  cv::Mat image;
};

// The tiles in rows of `columns`, each with its caption above, on white. Tiles are scaled to the first one's height.
cv::Mat montage(const std::vector<Tile>& tiles, int columns);

}  // namespace conclave
