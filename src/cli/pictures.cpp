#include "cli/pictures.h"

#include <algorithm>
#include <cstdio>

#include "datasets/draw.h"
#include "datasets/image_io.h"

namespace conclave {
namespace {

constexpr float kShownScore = 0.3f;

std::vector<Detection> labels_of(const ImageEntry& image) {
  std::vector<Detection> labels;
  for (const Annotation& annotation : image.annotations) {
    if (!annotation.crowd) labels.push_back({annotation.box, annotation.cls, 1.0f});
  }
  return labels;
}

Tile tile(const std::string& caption, const cv::Mat& image, const std::vector<Detection>& detections,
          const std::vector<std::string>& classes, bool scores) {
  DrawOptions options;
  options.scores = scores;
  options.min_score = kShownScore;
  Tile tile{caption, image.clone()};
  draw_detections(tile.image, detections, classes, options);
  return tile;
}

}  // namespace

std::vector<Comparison> draw_comparison(
    const Dataset& set, const std::vector<std::pair<std::string, const std::vector<std::vector<Detection>>*>>& columns,
    const std::filesystem::path& folder, int count) {
  std::filesystem::create_directories(folder);
  std::vector<Comparison> pictures;
  const std::size_t shown = std::min(static_cast<std::size_t>(count), set.images.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const std::size_t index = i * set.images.size() / shown;
    const ImageEntry& entry = set.images[index];
    const cv::Mat image = read_image(entry.path);
    std::vector<Tile> tiles = {tile("labels", image, labels_of(entry), set.classes, false)};
    std::string caption = std::filesystem::path(entry.path).filename().string() + ": labels";
    for (const auto& [title, detections] : columns) {
      tiles.push_back(tile(title, image, (*detections)[index], set.classes, true));
      caption += ", " + title;
    }
    char name[32];
    std::snprintf(name, sizeof name, "%03zu.jpg", i);
    write_image((folder / name).string(), montage(tiles, tiles.size() > 4 ? 3 : static_cast<int>(tiles.size())));
    pictures.push_back({folder.filename().string() + "/" + name, caption + " (scores from 0.3)"});
  }
  return pictures;
}

}  // namespace conclave
