#include "cli/view_pictures.h"

#include <cstdio>
#include <filesystem>
#include <opencv2/imgproc.hpp>

#include "core/error.h"
#include "datasets/draw.h"
#include "datasets/image_io.h"
#include "student/sampler.h"

namespace conclave {
namespace {

constexpr int kColumns = 4;
constexpr int kLeastWidth = 480;  // pixels; smaller views are enlarged, or names would hide them

void make_empty_folder(const std::string& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) throw Error("can't make this folder: " + failed.message(), folder);
  if (!std::filesystem::is_empty(folder)) {
    throw Error("the folder is not empty, and nothing is overwritten", folder, "name a new one with --out");
  }
}

cv::Mat with_boxes(View& view, const std::vector<std::string>& classes) {
  const int factor = (kLeastWidth + view.width - 1) / view.width;
  cv::Mat picture;
  cv::resize(cv::Mat(view.height, view.width, CV_8UC3, view.pixels.data()), picture, {}, factor, factor,
             cv::INTER_NEAREST);
  std::vector<Detection> boxes;
  for (const Annotation& annotation : view.annotations) {
    const auto scale = static_cast<float>(factor);
    const Box& box = annotation.box;
    boxes.push_back({{box.x0 * scale, box.y0 * scale, box.x1 * scale, box.y1 * scale}, annotation.cls, 1});
  }
  DrawOptions draw;
  draw.scores = false;
  draw_detections(picture, boxes, classes, draw);
  return picture;
}

}  // namespace

void write_view_pictures(const RunOptions& options, const std::string& folder, int views) {
  std::vector<Dataset> sets;
  std::vector<std::size_t> sizes;
  for (const DatasetOptions& set : options.train) {
    sets.push_back(load_dataset(set, options.classes));
    sizes.push_back(sets.back().images.size());
  }
  make_empty_folder(folder);
  Sampler sampler(sizes, options.seed, static_cast<std::uint64_t>(views),
                  repeated_views(sets, options.views_per_image));
  std::vector<Tile> tiles;
  for (int i = 0; i < views; ++i) {
    const ViewKey key = *sampler.at(static_cast<std::uint64_t>(i));
    const Dataset& set = sets[key.dataset];
    View view = draw_view(set, key, options.views);
    char name[16];
    std::snprintf(name, sizeof name, "%03d", i);
    tiles.push_back({std::string(name) + "  " + set.name, with_boxes(view, options.classes)});
    write_image((std::filesystem::path(folder) / (std::string(name) + ".jpg")).string(), tiles.back().image);
  }
  write_image((std::filesystem::path(folder) / "sheet.jpg").string(), montage(tiles, kColumns));
  std::printf("%d views in %s; sheet.jpg shows all of them\n", views, folder.c_str());
}

}  // namespace conclave
