#include "datasets/synth.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <opencv2/imgproc.hpp>

#include "core/error.h"
#include "core/random.h"
#include "datasets/image_io.h"
#include "datasets/street_objects.h"
#include "datasets/write_coco.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

constexpr int kScale = 2;  // scenes are drawn larger and shrunk: smooth edges
constexpr double kLeastVisible = 0.25;

struct Placed {
  int cls = 0;  // 0 person, 1 car, -1 clutter
  cv::Point2f ground;
  float height = 0;
};

struct Drawn {
  cv::Mat image;  // RGB
  std::vector<Annotation> annotations;
};

// What stands in the street, far things first, so that near ones hide them.
std::vector<Placed> place(CounterRandom& random, float width, float height, float horizon) {
  std::vector<Placed> things;
  const auto add = [&](int cls, int count, double tall) {
    for (int i = 0; i < count; ++i) {
      const float depth = static_cast<float>(std::pow(random.uniform(), 1.4));  // more of them far away
      const float near = 0.12f + 0.95f * depth;
      Placed thing;
      thing.cls = cls;
      thing.ground = {static_cast<float>(random.uniform(-0.03, 1.03)) * width, horizon + near * (height - horizon)};
      thing.height = static_cast<float>(tall * random.uniform(0.85, 1.15)) * height * (0.16f + 0.84f * near);
      things.push_back(thing);
    }
  };
  add(0, static_cast<int>(random.below(6)), 0.52);
  add(1, static_cast<int>(random.below(4)), 0.34);
  add(-1, static_cast<int>(random.below(5)), 0.42);
  if (random.chance(0.25)) {  // a group of people
    const Placed first{0,
                       {static_cast<float>(random.uniform(0.1, 0.9)) * width,
                        horizon + static_cast<float>(random.uniform(0.2, 0.8)) * (height - horizon)},
                       0};
    const float share = (first.ground.y - horizon) / (height - horizon);
    for (int i = 0; i < 3; ++i) {
      Placed one = first;
      one.height = static_cast<float>(0.52 * random.uniform(0.85, 1.1)) * height * (0.16f + 0.84f * share);
      one.ground.x += static_cast<float>(random.uniform(-0.35, 0.35)) * one.height;
      one.ground.y += static_cast<float>(random.uniform(-3, 3));
      things.push_back(one);
    }
  }
  std::stable_sort(things.begin(), things.end(),
                   [](const Placed& a, const Placed& b) { return a.ground.y < b.ground.y; });
  return things;
}

void shadow(cv::Mat& image, const Placed& thing, double strength) {
  const float w = thing.height * (thing.cls == 1 ? 1.1f : 0.22f);
  const cv::Rect area = cv::Rect(static_cast<int>(thing.ground.x - w), static_cast<int>(thing.ground.y - w * 0.14f),
                                 static_cast<int>(2 * w), static_cast<int>(w * 0.28f) + 2) &
                        cv::Rect(0, 0, image.cols, image.rows);
  if (area.empty()) return;
  cv::Mat patch = image(area), dark = patch * (1 - strength);
  cv::Mat mask(area.size(), CV_8UC1, cv::Scalar(0));
  cv::ellipse(mask, cv::Point(static_cast<int>(thing.ground.x) - area.x, static_cast<int>(thing.ground.y) - area.y),
              cv::Size(static_cast<int>(w) + 1, static_cast<int>(w * 0.13f) + 1), 0, 0, 360, cv::Scalar(255),
              cv::FILLED);
  dark.copyTo(patch, mask);
}

// Bounding box and number of the pixels that an object owns.
struct Seen {
  int pixels = 0, x0 = 1 << 30, y0 = 1 << 30, x1 = -1, y1 = -1;
};

std::vector<Seen> look(const cv::Mat& owner, std::size_t objects) {
  std::vector<Seen> seen(objects + 1);
  for (int y = 0; y < owner.rows; ++y) {
    const int* row = owner.ptr<int>(y);
    for (int x = 0; x < owner.cols; ++x) {
      Seen& one = seen[static_cast<std::size_t>(row[x])];
      one.pixels += 1;
      one.x0 = std::min(one.x0, x);
      one.y0 = std::min(one.y0, y);
      one.x1 = std::max(one.x1, x + 1);
      one.y1 = std::max(one.y1, y + 1);
    }
  }
  return seen;
}

// Light of the day, dusk or night, then the camera: blur and noise.
void expose(cv::Mat& image, CounterRandom& random, int light) {
  const double gain = light == 0   ? random.uniform(0.85, 1.15)
                      : light == 1 ? random.uniform(0.6, 0.85)
                                   : random.uniform(0.38, 0.55);
  const cv::Scalar tint = light == 0   ? cv::Scalar(1, 1, 1)
                          : light == 1 ? cv::Scalar(1.12, 0.95, 0.82)
                                       : cv::Scalar(0.85, 0.92, 1.15);
  const double contrast = random.uniform(0.75, 1.1), haze = (1 - contrast) * 120 * gain;
  cv::multiply(image, tint * (gain * contrast), image);
  cv::add(image, cv::Scalar::all(haze), image);
  if (random.chance(0.35)) cv::GaussianBlur(image, image, {}, random.uniform(0.4, 1.0));
  const double noise = random.uniform(1, light == 2 ? 12 : 7);
  for (int y = 0; y < image.rows; ++y) {
    auto* row = image.ptr<std::uint8_t>(y);
    for (int i = 0; i < image.cols * 3; i += 4) {  // one draw feeds four values
      std::uint32_t bits = random.next();
      for (int k = i; k < std::min(i + 4, image.cols * 3); ++k, bits >>= 8) {
        const double offset = (static_cast<double>(bits & 255u) - 127.5) / 74.0 * noise;  // uniform, deviation `noise`
        row[k] = static_cast<std::uint8_t>(std::clamp(row[k] + offset, 0.0, 255.0));
      }
    }
  }
}

Drawn draw_scene(const StreetOptions& options, int index) {
  CounterRandom random(mix(options.seed, static_cast<std::uint64_t>(index)), 0x57726565u);
  const int w = options.width * kScale, h = options.height * kScale;
  StreetBrush brush(w, h);
  const int light = random.chance(0.6) ? 0 : random.chance(0.5) ? 1 : 2;
  const float horizon = static_cast<float>(random.uniform(0.3, 0.5)) * static_cast<float>(h);
  draw_scenery(brush, random, horizon);
  std::vector<Placed> objects;
  std::vector<int> pixels_before_hidden;
  for (const Placed& thing : place(random, static_cast<float>(w), static_cast<float>(h), horizon)) {
    if (light == 0) shadow(brush.image(), thing, random.uniform(0.15, 0.45));
    if (thing.cls < 0) {
      brush.begin(0);
      draw_clutter(brush, random, thing.ground, thing.height);
      continue;
    }
    objects.push_back(thing);
    const int id = static_cast<int>(objects.size());
    brush.begin(id);
    if (thing.cls == 0) {
      draw_person(brush, random, thing.ground, thing.height);
    } else {
      draw_car(brush, random, thing.ground, thing.height, light > 0);
    }
    pixels_before_hidden.push_back(cv::countNonZero(brush.owner() == id));
  }
  const std::vector<Seen> seen = look(brush.owner(), objects.size());
  Drawn drawn;
  cv::resize(brush.image(), drawn.image, cv::Size(options.width, options.height), 0, 0, cv::INTER_AREA);
  expose(drawn.image, random, light);
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const Seen& one = seen[i + 1];
    if (one.pixels < 12 * kScale * kScale) continue;  // next to nothing
    // What lies outside the picture counts as hidden too: a person is about 0.3 h wide, a car 1.1 to 3 h.
    const double tall = one.y1 >= h ? static_cast<double>(objects[i].height) : 0;
    const double inside = tall > 0 ? std::min(1.0, (h - (objects[i].ground.y - tall)) / tall) : 1.0;
    const double visible = inside * one.pixels / std::max(1, pixels_before_hidden[i]);
    Annotation annotation;
    annotation.box = {static_cast<float>(one.x0) / kScale, static_cast<float>(one.y0) / kScale,
                      static_cast<float>(one.x1) / kScale, static_cast<float>(one.y1) / kScale};
    annotation.cls = objects[i].cls;
    annotation.crowd = visible < kLeastVisible || annotation.box.height() < 5 || annotation.box.width() < 3;
    annotation.area = annotation.box.area();
    drawn.annotations.push_back(annotation);
  }
  return drawn;
}

}  // namespace

void make_street_set(const StreetOptions& options, const std::function<void(int done)>& on_image) {
  for (const std::string& name : options.labelled) {
    if (std::find(street_classes().begin(), street_classes().end(), name) == street_classes().end()) {
      throw Error("a street has no class '" + name + "'", "--labelled", "person or car", Exit::kUsage);
    }
  }
  if (options.width < 64 || options.height < 64 || options.width > 2048 || options.height > 2048) {
    throw Error("the size is " + std::to_string(options.width) + "x" + std::to_string(options.height) +
                    "; 64 to 2048 can be drawn",
                "--size", {}, Exit::kUsage);
  }
  const fs::path folder = options.folder;
  if (fs::exists(folder) && !(fs::is_directory(folder) && fs::is_empty(folder))) {
    throw Error("already exists and is not an empty folder", options.folder, "name another folder");
  }
  fs::create_directories(folder / "images");
  Dataset all;
  all.name = "street";
  all.classes = street_classes();
  std::int64_t next_id = 1;
  for (int i = 0; i < options.images; ++i) {
    Drawn drawn = draw_scene(options, i);
    char name[32];
    std::snprintf(name, sizeof name, "%06d.jpg", i);
    write_image((folder / "images" / name).string(), drawn.image);
    ImageEntry entry;
    entry.path = (folder / "images" / name).string();
    entry.width = options.width;
    entry.height = options.height;
    entry.id = i + 1;
    for (Annotation& annotation : drawn.annotations) {
      annotation.id = next_id++;
      entry.annotations.push_back(annotation);
    }
    all.images.push_back(std::move(entry));
    if (on_image) on_image(i + 1);
  }
  Dataset labelled = all;
  labelled.classes = options.labelled;
  for (ImageEntry& image : labelled.images) {
    std::vector<Annotation> kept;
    for (Annotation annotation : image.annotations) {
      const std::string& name = street_classes()[static_cast<std::size_t>(annotation.cls)];
      const auto found = std::find(options.labelled.begin(), options.labelled.end(), name);
      if (found == options.labelled.end()) continue;
      annotation.cls = static_cast<int>(found - options.labelled.begin());
      kept.push_back(annotation);
    }
    image.annotations = std::move(kept);
  }
  CocoInfo info;
  info.description = "Synthetic street scenes drawn by conclave data synth, seed " + std::to_string(options.seed);
  info.labelled = options.labelled;
  write_coco((folder / "annotations.json").string(), coco_of(labelled), info);
}

}  // namespace conclave
