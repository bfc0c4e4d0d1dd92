#include "cli/pictures.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <opencv2/imgproc.hpp>

#include "cli/measured_detector.h"
#include "datasets/calibration.h"
#include "datasets/draw.h"
#include "datasets/image_io.h"
#include "models/spec.h"

namespace conclave {
namespace {

using Json = nlohmann::ordered_json;
constexpr int kTileWidth = 320;

// What one onlooker sees of every shown image.
struct Sights {
  std::vector<std::vector<Detection>> detections;  // in pixels of the image, classes the student's, thresholds applied
  std::vector<at::Tensor> heat;                    // (C,h,w) probabilities on the plain view's grid
};

Sights look(const Onlooker& onlooker, const Dataset& shown, const RunOptions& options, const ViewOptions& views) {
  EvaluateOptions evaluate = report_evaluation(options);
  evaluate.batch = 1;
  Sights sights;
  const RunNetwork network = onlooker.open();
  const RunNetwork keeping_heat = [&](const at::Tensor& pixels) {
    NetworkAnswer answer = network(pixels);
    sights.heat.push_back(at::sigmoid(answer.heads.heat[0]).contiguous());
    return answer;
  };
  const auto found = in_student_classes(detect(keeping_heat, shown, views, evaluate), onlooker.student_class);
  for (const std::vector<Detection>& all : found) {
    std::vector<Detection>& kept = sights.detections.emplace_back();
    for (const Detection& d : all) {
      if (d.score >= onlooker.thresholds[static_cast<std::size_t>(d.cls)]) kept.push_back(d);
    }
  }
  return sights;
}

// A photo at the size of a tile, with what brings boxes and views onto it.
struct Photo {
  cv::Mat pixels;
  double scale = 1;  // tile pixels per image pixel

  explicit Photo(const ImageEntry& image) {
    const cv::Mat whole = read_image(image.path);
    scale = static_cast<double>(kTileWidth) / whole.cols;
    const int height = std::max(1, static_cast<int>(std::lround(whole.rows * scale)));
    cv::resize(whole, pixels, {kTileWidth, height}, 0, 0, scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
  }

  Affine tile_to_view(const ImageEntry& image, const ViewOptions& views) const {
    const Affine view = draw_view(image, {0, 0, kPlainView}, views).image_to_view;
    return {view.a / scale, view.b / scale, view.c, view.d / scale, view.e / scale, view.f};
  }

  // Plain outlines: names and scores would hide a small photo.
  cv::Mat with_boxes(const std::vector<Detection>& detections) const {
    cv::Mat drawn = pixels.clone();
    const auto corner = [&](float x, float y) {
      return cv::Point(static_cast<int>(std::lround(x * scale)), static_cast<int>(std::lround(y * scale)));
    };
    for (const Detection& d : detections) {
      cv::rectangle(drawn, corner(d.box.x0, d.box.y0), corner(d.box.x1, d.box.y1), class_colour(d.cls), 2, cv::LINE_AA);
    }
    return drawn;
  }

  cv::Mat with_heat(const at::Tensor& heat, const std::vector<int>& student_class, const Affine& tile_to_view) const {
    cv::Mat drawn = pixels.clone();
    for (std::size_t channel = 0; channel < student_class.size(); ++channel) {
      if (student_class[channel] < 0) continue;
      const at::Tensor one = heat[static_cast<std::int64_t>(channel)].contiguous();
      const cv::Mat cells(static_cast<int>(one.size(0)), static_cast<int>(one.size(1)), CV_32F, one.data_ptr<float>());
      const cv::Mat placed = heat_on_image(cells, kStride, tile_to_view, drawn.cols, drawn.rows);
      drawn = overlay_heat(drawn, placed, class_colour(student_class[channel]), 0.85);
    }
    return drawn;
  }
};

std::vector<Detection> labels_of(const ImageEntry& image) {
  std::vector<Detection> labels;
  for (const Annotation& annotation : image.annotations) {
    if (!annotation.crowd) labels.push_back({annotation.box, annotation.cls, 1.0f});
  }
  return labels;
}

std::string count_text(const ImageF1& image) {
  char text[96];
  std::snprintf(text, sizeof text, "F1 %.2f, %lld right, %lld wrong, %lld missed", image.f1(),
                static_cast<long long>(image.hits), static_cast<long long>(image.kept - image.hits),
                static_cast<long long>(image.objects - image.hits));
  return text;
}

// How each of the onlooker's shown images came out, over the classes that it knows and the set labels.
std::vector<ImageF1> outcome(const Onlooker& onlooker, const Sights& sights, const Dataset& shown) {
  std::vector<bool> judged(shown.classes.size(), false);
  for (const int cls : onlooker.student_class) {
    if (cls >= 0) judged[static_cast<std::size_t>(cls)] = shown.labelled[static_cast<std::size_t>(cls)];
  }
  return per_image_f1(shown, match_detections(shown, sights.detections), onlooker.thresholds, judged);
}

std::string write_tile(const std::filesystem::path& folder, std::size_t image, std::size_t tile, const cv::Mat& above,
                       const cv::Mat& below) {
  char name[48];
  std::snprintf(name, sizeof name, "%03zu-%02zu.jpg", image, tile);
  const int gap = 4;
  cv::Mat both(above.rows + gap + below.rows, above.cols, CV_8UC3, cv::Scalar::all(128));
  above.copyTo(both.rowRange(0, above.rows));
  below.copyTo(both.rowRange(above.rows + gap, both.rows));
  write_image((folder / "pictures" / name).string(), both);
  return std::string("pictures/") + name;
}

std::string hex(const cv::Scalar& rgb) {
  char text[8];
  std::snprintf(text, sizeof text, "#%02x%02x%02x", static_cast<unsigned>(rgb[0]), static_cast<unsigned>(rgb[1]),
                static_cast<unsigned>(rgb[2]));
  return text;
}

}  // namespace

std::vector<ShownImage> spread_images(const Dataset& set, std::size_t count) {
  std::vector<ShownImage> images;
  const std::size_t shown = std::min(count, set.images.size());
  for (std::size_t i = 0; i < shown; ++i) images.push_back({i * set.images.size() / shown, {}});
  return images;
}

Json draw_pictures(const Dataset& set, const std::vector<ShownImage>& images, const std::vector<Onlooker>& onlookers,
                   const RunOptions& options, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder / "pictures");
  Dataset shown{set.name, set.classes, set.labelled, {}};
  Json groups = Json::array();
  std::vector<Photo> photos;
  for (const ShownImage& image : images) {
    const ImageEntry& entry = shown.images.emplace_back(set.images.at(image.index));
    const Photo& photo = photos.emplace_back(entry);
    const std::string file =
        write_tile(folder, shown.images.size() - 1, 0, photo.with_boxes(labels_of(entry)), photo.pixels);
    groups.push_back({{"title", std::filesystem::path(entry.path).filename().string()},
                      {"note", image.note},
                      {"tiles", Json::array({{{"file", file}, {"caption", "labels"}}})}});
  }
  for (std::size_t t = 0; t < onlookers.size(); ++t) {
    const Onlooker& onlooker = onlookers[t];
    const ViewOptions& views = onlooker.views ? *onlooker.views : options.views;
    const Sights sights = look(onlooker, shown, options, views);
    const std::vector<ImageF1> came_out = outcome(onlooker, sights, shown);
    for (std::size_t i = 0; i < photos.size(); ++i) {
      const Affine onto = photos[i].tile_to_view(shown.images[i], views);
      const std::string file = write_tile(folder, i, t + 1, photos[i].with_boxes(sights.detections[i]),
                                          photos[i].with_heat(sights.heat[i], onlooker.student_class, onto));
      groups[i]["tiles"].push_back({{"file", file}, {"caption", onlooker.caption}, {"note", count_text(came_out[i])}});
    }
  }
  Json key = Json::array();
  for (std::size_t c = 0; c < set.classes.size(); ++c) {
    key.push_back({{"name", set.classes[c]}, {"colour", hex(class_colour(static_cast<int>(c)))}});
  }
  return {{"picture_key", key}, {"pictures", groups}};
}

}  // namespace conclave
