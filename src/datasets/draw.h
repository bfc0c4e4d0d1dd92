#pragma once

#include <opencv2/core/mat.hpp>
#include <string>
#include <vector>

#include "core/detection.h"

namespace conclave {

// All images are (H,W,3) uint8 in RGB order.

// Colours that stay apart, also for people with colour-blindness (Okabe and Ito's palette first).
cv::Scalar class_colour(int cls);

struct DrawOptions {
  float min_score = 0;  // weaker detections are left out
  bool scores = true;   // print the score beside the name
  std::string suffix;   // after each name ("teacher")
};

// Draws boxes with "name 0.87" labels, the strongest last. Line and text sizes follow the image's size.
void draw_detections(cv::Mat& rgb, const std::vector<Detection>& detections, const std::vector<std::string>& classes,
                     const DrawOptions& options = {});

// Blends a heat map, (h,w) float in [0,1], stretched over the image, in one colour: `strength` of it where heat is 1.
cv::Mat overlay_heat(const cv::Mat& rgb, const cv::Mat& heat, const cv::Scalar& colour, double strength = 0.75);

struct Tile {
  std::string caption;
  cv::Mat image;
};

// The tiles in rows of `columns`, each with its caption above, on white. Tiles are scaled to the first one's height.
cv::Mat montage(const std::vector<Tile>& tiles, int columns);

}  // namespace conclave
