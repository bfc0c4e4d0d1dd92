#include "student/tiny_run.h"

#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "core/file.h"
#include "core/random.h"
#include "datasets/image_io.h"
#include "models/weights.h"
#include "student/student_state.h"

namespace conclave {
namespace {

constexpr int kImages = 24, kSize = 64;

}  // namespace

TinyRun::TinyRun() {
  CounterRandom random(11);
  nlohmann::json coco = {{"categories", {{{"id", 1}, {"name", "red"}}, {{"id", 2}, {"name", "blue"}}}},
                         {"images", nlohmann::json::array()},
                         {"annotations", nlohmann::json::array()}};
  std::filesystem::create_directories(folder.path() / "images");
  for (int i = 0; i < kImages; ++i) {
    cv::Mat image(kSize, kSize, CV_8UC3);
    for (int y = 0; y < kSize; ++y) {
      for (int x = 0; x < kSize; ++x) {
        const auto grey = static_cast<unsigned char>(90 + random.below(40));
        image.at<cv::Vec3b>(y, x) = {grey, grey, grey};
      }
    }
    for (int cls = 0; cls < 2; ++cls) {
      const int side = 12 + static_cast<int>(random.below(12));
      const int x = static_cast<int>(random.below(static_cast<std::uint32_t>(kSize - side)));
      const int y = static_cast<int>(random.below(static_cast<std::uint32_t>(kSize / 2 - side))) + cls * kSize / 2;
      image(cv::Rect(x, y, side, side)).setTo(cls == 0 ? cv::Scalar(220, 20, 20) : cv::Scalar(20, 20, 220));
      coco["annotations"].push_back({{"id", 2 * i + cls + 1},
                                     {"image_id", i + 1},
                                     {"category_id", cls + 1},
                                     {"bbox", {x, y, side, side}},
                                     {"area", side * side},
                                     {"iscrowd", 0}});
    }
    const std::string name = std::to_string(100 + i) + ".jpg";
    write_image((folder.path() / "images" / name).string(), image);
    coco["images"].push_back({{"id", i + 1}, {"file_name", name}, {"width", kSize}, {"height", kSize}});
  }
  write_file_atomically(folder.path() / "all.json", coco.dump());
}

RunOptions TinyRun::options(const std::string& name, Method method, const std::vector<std::string>& labelled) const {
  RunOptions options;
  options.run = (folder.path() / name).string();
  options.seed = 5;
  options.classes = {"red", "blue"};
  options.model.architecture.width = 8;
  options.model.architecture.neck_channels = {16, 16, 16};
  options.model.architecture.head_channels = 16;
  options.model.architecture.skip = true;
  options.views.width = options.views.height = 64;
  DatasetOptions set;
  set.name = "squares";
  set.images = (folder.path() / "images").string();
  set.annotations = (folder.path() / "all.json").string();
  set.labelled = labelled;
  options.train = {set};
  options.fusion.method = method;
  TrainOptions& training = options.training;
  training.batch = 4;
  training.schedule.steps = 12;
  training.schedule.warmup = 2;
  training.checkpoint_every = 4;
  training.log_every = 3;
  training.threads = 1;
  training.window = 8;
  return options;
}

std::filesystem::path TinyRun::make_teacher(const std::string& cls, std::uint64_t seed) const {
  RunOptions own = options("unused");
  own.classes = {cls};
  const ModelSpec spec = spec_of(own);
  const auto model = make_detector(spec, seed);
  {
    const at::NoGradGuard no_grad;
    for (auto& item : model->named_parameters()) {
      if (item.key() == "heat.2.bias") item.value().fill_(0.0);  // confident about something
      if (item.key() == "wh.2.bias") item.value().fill_(3.0);
    }
  }
  const std::filesystem::path path = folder.path() / (cls + ".safetensors");
  save_detector(path, spec, state_of(*model));
  return path;
}

}  // namespace conclave
