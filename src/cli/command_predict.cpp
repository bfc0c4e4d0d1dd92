#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/commands.h"
#include "cli/predict_job.h"
#include "cli/test_time_flags.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/stop.h"
#include "datasets/video.h"

namespace conclave {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

struct PredictArguments {
  std::vector<std::string> inputs, thresholds, classes;
  std::string weights, out, device = "cpu", video_format = "mp4", python = "python3";
  int most = 100, batch = 8;
  std::vector<int> size;
  TestTimeFlags test_time;
  bool bf16 = false, overwrite = false, no_pictures = false;
};

// Results never replace what they were made from, and nothing else unless that was asked for.
void check_out(const PredictArguments& arguments, const std::vector<PredictInput>& inputs) {
  const fs::path out = arguments.out;
  if (fs::exists(out) && !fs::is_directory(out)) throw Error("is not a folder", arguments.out, "name another --out");
  if (!arguments.overwrite && fs::exists(out) && !fs::is_empty(out)) {
    throw Error("already exists and is not an empty folder", arguments.out,
                "name another --out, or give --overwrite to replace results of the same names");
  }
  std::set<fs::path> originals;
  for (const PredictInput& input : inputs) originals.insert(fs::weakly_canonical(input.path));
  for (const PredictInput& input : inputs) {
    const std::string name = input.name.string() + (input.video ? "." + arguments.video_format : ".jpg");
    if (originals.contains(fs::weakly_canonical(out / name))) {
      throw Error("a result would replace its original", (out / name).string(), "name another --out");
    }
  }
}

PredictJob make_job(const PredictArguments& arguments) {
  PredictJob job;
  job.runner = open_runner(arguments.weights, {arguments.device, arguments.bf16, arguments.python});
  job.views = views_for(job.runner, arguments.size, arguments.test_time.scales);
  job.test_time = test_time_from(arguments.test_time, job.views);
  job.filter =
      make_filter(job.runner.classes, job.runner.thresholds, arguments.thresholds, arguments.classes, arguments.most);
  job.batch = arguments.batch;
  job.out = arguments.out;
  job.pictures = !arguments.no_pictures;
  job.video_format = arguments.video_format;
  return job;
}

Json header_json(const PredictArguments& arguments, const PredictJob& job) {
  Json thresholds = Json::object();
  for (std::size_t c = 0; c < job.runner.classes.size(); ++c) {
    if (job.filter.wanted[c]) thresholds[job.runner.classes[c]] = job.filter.threshold[c];
  }
  Json json = {{"weights", arguments.weights},
               {"sha256", job.runner.hash},
               {"classes", job.runner.classes},
               {"thresholds", thresholds},
               {"input", {job.views.width, job.views.height}},
               {"tta", arguments.test_time.tta},
               {"scales", job.test_time.scales}};
  return json;
}

// What could not be read, with its name, after everything else was done.
void report_failures(const std::vector<FailedInput>& failed, std::size_t inputs) {
  if (failed.empty()) return;
  std::string text = std::to_string(failed.size()) + " of " + std::to_string(inputs) + " files could not be read:";
  for (const FailedInput& one : failed) text += "\n  " + one.why;
  throw Error(text, {}, "the results of the others are written");
}

void predict(const PredictArguments& arguments) {
  const std::vector<PredictInput> inputs = find_inputs(arguments.inputs, arguments.out);
  check_out(arguments, inputs);
  log::start();
  install_stop_signals();
  const PredictJob job = make_job(arguments);
  std::vector<PredictInput> images, videos;
  for (const PredictInput& input : inputs) (input.video ? videos : images).push_back(input);

  fs::create_directories(job.out);
  std::vector<FailedInput> failed;
  const SystemClock clock;
  PredictProgress progress(stderr, isatty(STDERR_FILENO) == 1, clock, images.size());
  Json json = header_json(arguments, job);
  json["images"] = predict_images(job, images, failed, progress);
  json["videos"] = Json::array();
  for (const PredictInput& video : videos) {
    try {
      json["videos"].push_back(predict_video(job, video, progress));
    } catch (const Error& error) {
      if (error.exit() == Exit::kInterrupted) throw;
      failed.push_back({video.path, error.what()});
    }
  }
  json["failed"] = Json::array();
  for (const FailedInput& one : failed) json["failed"].push_back({{"file", one.path}, {"error", one.why}});
  write_file_atomically(job.out / "detections.json", json.dump(2) + "\n");
  std::printf("%zu objects on %zu pictures, %.1f images/s: %sdetections.json in %s\n", progress.objects(),
              progress.pictures(), progress.images_per_second(), job.pictures ? "pictures and " : "", job.out.c_str());
  report_failures(failed, inputs.size());
}

}  // namespace

void add_predict(CLI::App& app, Action& action) {
  CLI::App* verb =
      app.add_subcommand("predict", "images and videos in, pictures with labelled boxes and a JSON of detections out");
  verb->footer(
      "Examples:\n"
      "  conclave predict photos/ --weights runs/merged/weights/best.safetensors --out predicted\n"
      "  conclave predict a.jpg b.png --weights student.safetensors --out predicted --threshold 0.5 --threshold "
      "car=0.4\n"
      "  conclave predict drive.mp4 --weights student.safetensors --out predicted --classes person --video-format avi\n"
      "  conclave predict photos/ --weights student.safetensors --out predicted --tta flip --scales 0.75,1,1.25\n"
      "  conclave predict photos/ --weights exported/ --out predicted        # a folder that conclave export wrote\n\n"
      "Boxes in detections.json are [x, y, width, height] in pixels of the image, as in COCO. docs/predict.md "
      "describes\n"
      "every field. A file that can't be read is named at the end, and the exit code is 1; the others are done.");
  auto arguments = std::make_shared<PredictArguments>();
  verb->add_option("inputs", arguments->inputs, "images, videos, and folders of them (with all below)")->required();
  verb->add_option("--weights", arguments->weights, "a safetensors file of train or distill, or what export made of it")
      ->required();
  verb->add_option("--out", arguments->out, "a new folder for the pictures and detections.json")->required();
  verb->add_flag("--overwrite", arguments->overwrite, "--out may exist; results of the same names are replaced");
  verb->add_option("--threshold", arguments->thresholds,
                   "lowest score that counts: 0.5, or person=0.4 for one class; default: the weights' own, else 0.3")
      ->allow_extra_args(false);
  verb->add_option("--classes", arguments->classes, "only these classes");
  verb->add_option("--max", arguments->most, "most objects per picture")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  add_test_time_flags(*verb, arguments->test_time);
  verb->add_option("--size", arguments->size, "input width and height; default: what the weights were trained at")
      ->expected(2);
  verb->add_option("--batch", arguments->batch, "images at once")->check(CLI::Range(1, 1024))->capture_default_str();
  verb->add_flag("--no-pictures", arguments->no_pictures, "write detections.json alone");
  verb->add_option("--video-format", arguments->video_format, "of drawn videos: mp4 or avi")
      ->check(CLI::IsMember({"mp4", "avi"}))
      ->capture_default_str();
  verb->add_option("--python", arguments->python, "runs exports that only onnxruntime, OpenVINO or ncnn can read")
      ->capture_default_str();
  verb->add_option("--device", arguments->device, "cpu, cuda or cuda:N")->capture_default_str();
  verb->add_flag("--bf16", arguments->bf16, "compute in bfloat16");
  verb->callback([arguments, &action] { action = [arguments] { predict(*arguments); }; });
}

}  // namespace conclave
