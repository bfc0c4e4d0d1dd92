#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/runner.h"
#include "cli/test_time_flags.h"
#include "core/error.h"
#include "core/file.h"
#include "core/join.h"
#include "core/log.h"
#include "core/tensor_file.h"
#include "datasets/matching.h"
#include "datasets/precision_recall.h"
#include "datasets/write_coco.h"
#include "student/evaluate.h"

namespace conclave {
namespace {

struct EvalArguments {
  std::string weights, images, annotations, out, detections, with_thresholds, python = "python3";
  std::vector<int> size;
  std::string device = "cpu";
  int batch = 16;
  bool bf16 = false;
  TestTimeFlags test_time;
};

void print_row(const std::string& name, const ApSummary& ap) {
  std::printf("%-22s", name.c_str());
  for (const double value : {ap.ap, ap.ap50, ap.ap75, ap.ap_small, ap.ap_medium, ap.ap_large, ap.ar100}) {
    if (value < 0) {
      std::printf(" %7s", "-");
    } else {
      std::printf(" %7.2f", 100 * value);
    }
  }
  std::printf("\n");
}

// The same weights, knowing each class's threshold of the best F1 on this set (IoU 0.5). Classes without an object keep
// none.
void save_with_thresholds(const EvalArguments& arguments, const Dataset& set,
                          const std::vector<std::vector<Detection>>& detections) {
  const TensorFile file = TensorFile::open(arguments.weights);
  nlohmann::ordered_json thresholds = nlohmann::ordered_json::object();
  const std::vector<ClassMatches> matches = match_detections(set, detections);
  for (std::size_t c = 0; c < set.classes.size(); ++c) {
    const CurvePoint best = best_f1(precision_recall(matches[c]));
    if (best.f1 <= 0) continue;
    std::printf("%-22s best F1 %.3f from score %.3f\n", set.classes[c].c_str(), best.f1, best.score);
    // Rounded down, so that the detection that sets it is kept.
    thresholds[set.classes[c]] = std::floor(1000.0 * best.score) / 1000.0;
  }
  std::map<std::string, std::string> metadata = file.metadata();
  metadata["thresholds"] = thresholds.dump();
  write_tensors(arguments.with_thresholds, file.tensors(), metadata);
}

void evaluate(const EvalArguments& arguments) {
  for (const std::string& file : {arguments.out, arguments.detections, arguments.with_thresholds}) {
    if (!file.empty() && std::filesystem::exists(file)) throw Error("already exists", file, "name another output");
  }
  log::start();
  const Runner runner = open_runner(arguments.weights, {arguments.device, arguments.bf16, arguments.python});
  DatasetOptions source;
  source.name = std::filesystem::path(arguments.annotations).filename().string();
  source.images = arguments.images;
  source.annotations = arguments.annotations;
  source.all_labelled = true;
  const Dataset set = load_dataset(source, runner.classes);
  if (std::none_of(set.labelled.begin(), set.labelled.end(), [](bool labelled) { return labelled; })) {
    throw Error("it has none of the detector's classes " + join(runner.classes), arguments.annotations,
                "conclave data check lists its classes; names must be the same");
  }
  const ViewOptions views = views_for(runner, arguments.size, arguments.test_time.scales);
  EvaluateOptions options;
  options.batch = arguments.batch;
  options.test_time = test_time_from(arguments.test_time, views);
  const auto detections = detect(runner.network, set, views, options);
  const ApResult ap = coco_ap(set, detections);
  std::printf("%-22s %7s %7s %7s %7s %7s %7s %7s\n", "class", "AP", "AP50", "AP75", "small", "medium", "large",
              "AR100");
  nlohmann::ordered_json per_class = nlohmann::ordered_json::object();
  for (std::size_t c = 0; c < runner.classes.size(); ++c) {
    print_row(runner.classes[c], ap.per_class[c]);
    per_class[runner.classes[c]] = ap_json(ap.per_class[c]);
  }
  print_row("mean", ap.all);
  if (!arguments.out.empty()) {
    const nlohmann::ordered_json json = {
        {"weights", arguments.weights}, {"sha256", runner.hash},  {"annotations", arguments.annotations},
        {"images", set.images.size()},  {"all", ap_json(ap.all)}, {"per_class", per_class}};
    write_file_atomically(arguments.out, json.dump(2) + "\n");
  }
  if (!arguments.detections.empty()) write_detections(arguments.detections, set, detections);
  if (!arguments.with_thresholds.empty()) save_with_thresholds(arguments, set, detections);
}

}  // namespace

void add_eval(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("eval", "COCO AP of a detector on a labelled set");
  verb->footer(
      "Examples:\n"
      "  conclave eval --weights runs/merged/weights/best.safetensors --images val/ --annotations val.json\n"
      "  conclave eval --weights student.safetensors --images val/ --annotations val.json --out ap.json --detections "
      "dets.json\n"
      "  conclave eval --weights student.safetensors --images val/ --annotations val.json --tta flip\n"
      "  conclave eval --weights exported/ --images val/ --annotations val.json   # a folder that conclave export "
      "wrote\n"
      "  conclave eval --weights student.safetensors --images val/ --annotations val.json --with-thresholds "
      "ready.safetensors\n\n"
      "The numbers equal pycocotools'. --detections writes COCO results, for pycocotools and other tools.");
  auto arguments = std::make_shared<EvalArguments>();
  verb->add_option("--weights", arguments->weights, "a safetensors file of train or distill, or what export made of it")
      ->required();
  verb->add_option("--images", arguments->images, "folder of the images")->required();
  verb->add_option("--annotations", arguments->annotations, "COCO JSON")->required();
  verb->add_option("--out", arguments->out, "write the AP values to this JSON file");
  verb->add_option("--detections", arguments->detections, "write the detections to this JSON file (COCO results)");
  verb->add_option("--with-thresholds", arguments->with_thresholds,
                   "write the weights again to this file, with each class's threshold of the best F1 here for predict");
  verb->add_option("--python", arguments->python, "runs exports that only onnxruntime, OpenVINO or ncnn can read")
      ->capture_default_str();
  add_test_time_flags(*verb, arguments->test_time);
  verb->add_option("--size", arguments->size, "input width and height; default: what the weights were trained at")
      ->expected(2);
  verb->add_option("--batch", arguments->batch, "images at once")->check(CLI::Range(1, 1024))->capture_default_str();
  verb->add_option("--device", arguments->device, "cpu, cuda or cuda:N")->capture_default_str();
  verb->add_flag("--bf16", arguments->bf16, "compute in bfloat16");
  verb->callback([arguments, &action] { action = [arguments] { evaluate(*arguments); }; });
}

}  // namespace conclave
