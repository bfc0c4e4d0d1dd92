#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/commands.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/stop.h"
#include "datasets/draw.h"
#include "datasets/image_io.h"
#include "models/weights.h"
#include "student/evaluate.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

struct PredictArguments {
  std::vector<std::string> inputs;
  std::string weights, out;
  double threshold = 0.3;
  std::vector<int> size;
  std::string device = "cpu";
  bool bf16 = false;
};

// Images named on the command line, folders opened (not recursively), in that order.
Dataset collect(const std::vector<std::string>& inputs) {
  Dataset set;
  set.name = "images";
  for (const std::string& input : inputs) {
    std::vector<std::string> files = {input};
    if (fs::is_directory(input)) {
      files = list_images(input);
      if (files.empty()) throw Error("no image in this folder", input, "readable formats: .jpg .jpeg .png .bmp .webp");
    }
    for (const std::string& file : files) {
      const ImageSize size = read_image_size(file);
      ImageEntry entry;
      entry.path = file;
      entry.width = size.width;
      entry.height = size.height;
      entry.id = static_cast<std::int64_t>(set.images.size());
      set.images.push_back(std::move(entry));
    }
  }
  return set;
}

// "photo.jpg", "photo-2.jpg", … : one output name per image, also where folders hold equal names.
std::string unused_name(const std::string& path, std::set<std::string>& used) {
  const std::string stem = fs::path(path).stem().string();
  std::string name = stem + ".jpg";
  for (int i = 2; !used.insert(name).second; ++i) name = stem + "-" + std::to_string(i) + ".jpg";
  return name;
}

void predict(const PredictArguments& arguments) {
  const fs::path out = arguments.out;
  if (fs::exists(out) && !(fs::is_directory(out) && fs::is_empty(out))) {
    throw Error("already exists and is not an empty folder", arguments.out, "name another --out");
  }
  log::start();
  install_stop_signals();
  const LoadedDetector loaded = load_detector(arguments.weights);
  const ModelSpec& spec = loaded.model->spec();
  const Dataset set = collect(arguments.inputs);
  ViewOptions views;
  views.width = arguments.size.empty() ? spec.width : arguments.size[0];
  views.height = arguments.size.empty() ? spec.height : arguments.size[1];
  EvaluateOptions options;
  options.device = arguments.device;
  options.bf16 = arguments.bf16;
  options.channels_last = arguments.bf16;
  options.decode.threshold = static_cast<float>(arguments.threshold);
  const auto detections = detect(*loaded.model, set, views, options);

  fs::create_directories(out);
  nlohmann::ordered_json images = nlohmann::ordered_json::array();
  std::set<std::string> used;
  std::size_t count = 0;
  for (std::size_t i = 0; i < set.images.size(); ++i) {
    const ImageEntry& image = set.images[i];
    const std::string name = unused_name(image.path, used);
    cv::Mat picture = read_image(image.path);
    draw_detections(picture, detections[i], spec.classes);
    write_image((out / name).string(), picture);
    nlohmann::ordered_json found = nlohmann::ordered_json::array();
    for (const Detection& detection : detections[i]) {
      found.push_back({{"class", spec.classes[static_cast<std::size_t>(detection.cls)]},
                       {"score", detection.score},
                       {"bbox", {detection.box.x0, detection.box.y0, detection.box.width(), detection.box.height()}}});
    }
    count += found.size();
    images.push_back({{"image", image.path},
                      {"picture", name},
                      {"width", image.width},
                      {"height", image.height},
                      {"detections", found}});
  }
  const nlohmann::ordered_json json = {{"weights", arguments.weights},
                                       {"sha256", loaded.hash},
                                       {"classes", spec.classes},
                                       {"threshold", arguments.threshold},
                                       {"images", images}};
  write_file_atomically(out / "detections.json", json.dump(2) + "\n");
  std::printf("%zu objects on %zu images: pictures and detections.json in %s\n", count, set.images.size(), out.c_str());
}

}  // namespace

void add_predict(CLI::App& app, Action& action) {
  CLI::App* verb =
      app.add_subcommand("predict", "images in, pictures with labelled boxes and a JSON of detections out");
  verb->footer(
      "Examples:\n"
      "  conclave predict photos/ --weights runs/merged/weights/best.safetensors --out predicted\n"
      "  conclave predict a.jpg b.png --weights student.safetensors --out predicted --threshold 0.5\n\n"
      "Boxes in detections.json are [x, y, width, height] in pixels of the image, as in COCO.");
  auto arguments = std::make_shared<PredictArguments>();
  verb->add_option("images", arguments->inputs, "image files and folders")->required();
  verb->add_option("--weights", arguments->weights, "a safetensors file of train or distill")->required();
  verb->add_option("--out", arguments->out, "a new folder for the pictures and detections.json")->required();
  verb->add_option("--threshold", arguments->threshold, "lowest score that counts")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  verb->add_option("--size", arguments->size, "input width and height; default: what the weights were trained at")
      ->expected(2);
  verb->add_option("--device", arguments->device, "cpu, cuda or cuda:N")->capture_default_str();
  verb->add_flag("--bf16", arguments->bf16, "compute in bfloat16");
  verb->callback([arguments, &action] { action = [arguments] { predict(*arguments); }; });
}

}  // namespace conclave
