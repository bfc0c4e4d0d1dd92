#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "datasets/write_coco.h"
#include "models/weights.h"
#include "student/evaluate.h"

namespace conclave {
namespace {

struct EvalArguments {
  std::string weights, images, annotations, out, detections;
  std::vector<int> size;
  std::string device = "cpu";
  int batch = 16;
  bool bf16 = false;
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

void evaluate(const EvalArguments& arguments) {
  for (const std::string& file : {arguments.out, arguments.detections}) {
    if (!file.empty() && std::filesystem::exists(file)) throw Error("already exists", file, "name another output");
  }
  log::start();
  const LoadedDetector loaded = load_detector(arguments.weights);
  const ModelSpec& spec = loaded.model->spec();
  DatasetOptions source;
  source.name = std::filesystem::path(arguments.annotations).filename().string();
  source.images = arguments.images;
  source.annotations = arguments.annotations;
  source.all_labelled = true;
  const Dataset set = load_dataset(source, spec.classes);
  ViewOptions views;
  views.width = arguments.size.empty() ? spec.width : arguments.size[0];
  views.height = arguments.size.empty() ? spec.height : arguments.size[1];
  EvaluateOptions options;
  options.batch = arguments.batch;
  options.device = arguments.device;
  options.bf16 = arguments.bf16;
  options.channels_last = arguments.bf16;
  const auto detections = detect(*loaded.model, set, views, options);
  const ApResult ap = coco_ap(set, detections);
  std::printf("%-22s %7s %7s %7s %7s %7s %7s %7s\n", "class", "AP", "AP50", "AP75", "small", "medium", "large",
              "AR100");
  nlohmann::ordered_json per_class = nlohmann::ordered_json::object();
  for (std::size_t c = 0; c < spec.classes.size(); ++c) {
    print_row(spec.classes[c], ap.per_class[c]);
    per_class[spec.classes[c]] = ap_json(ap.per_class[c]);
  }
  print_row("mean", ap.all);
  if (!arguments.out.empty()) {
    const nlohmann::ordered_json json = {
        {"weights", arguments.weights}, {"sha256", loaded.hash},  {"annotations", arguments.annotations},
        {"images", set.images.size()},  {"all", ap_json(ap.all)}, {"per_class", per_class}};
    write_file_atomically(arguments.out, json.dump(2) + "\n");
  }
  if (!arguments.detections.empty()) write_detections(arguments.detections, set, detections);
}

}  // namespace

void add_eval(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("eval", "COCO AP of a detector on a labelled set");
  verb->footer(
      "Examples:\n"
      "  conclave eval --weights runs/merged/weights/best.safetensors --images val/ --annotations val.json\n"
      "  conclave eval --weights student.safetensors --images val/ --annotations val.json --out ap.json --detections "
      "dets.json\n\n"
      "The numbers equal pycocotools'. --detections writes COCO results, for pycocotools and other tools.");
  auto arguments = std::make_shared<EvalArguments>();
  verb->add_option("--weights", arguments->weights, "a safetensors file of train or distill")->required();
  verb->add_option("--images", arguments->images, "folder of the images")->required();
  verb->add_option("--annotations", arguments->annotations, "COCO JSON")->required();
  verb->add_option("--out", arguments->out, "write the AP values to this JSON file");
  verb->add_option("--detections", arguments->detections, "write the detections to this JSON file (COCO results)");
  verb->add_option("--size", arguments->size, "input width and height; default: what the weights were trained at")
      ->expected(2);
  verb->add_option("--batch", arguments->batch, "images at once")->check(CLI::Range(1, 1024))->capture_default_str();
  verb->add_option("--device", arguments->device, "cpu, cuda or cuda:N")->capture_default_str();
  verb->add_flag("--bf16", arguments->bf16, "compute in bfloat16");
  verb->callback([arguments, &action] { action = [arguments] { evaluate(*arguments); }; });
}

}  // namespace conclave
