#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/export_images.h"
#include "cli/runner.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/tensor_file.h"
#include "export/agreement.h"
#include "export/verify.h"
#include "export/write_export.h"
#include "models/weights.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

struct ExportArguments {
  bool list = false;
  std::string weights, format = "onnx", out, input = "normalised", outputs = "heads";
  std::vector<int> size;
  int batch = 1, opset = 17, top_k = 100;
  bool dynamic_batch = false, dynamic_size = false, exact_peaks = false, half = false, no_verify = false;
  std::vector<std::string> images;
  std::string annotations, python = "python3";
  int count = 8;
};

// Becomes the output once everything in it is right; else it is removed.
class FolderAside {
 public:
  explicit FolderAside(const fs::path& target) : target_(without_slash(target)), aside_(target_) {
    if (fs::exists(target)) throw Error("already exists", target.string(), "name another --out");
    aside_ += ".tmp-" + std::to_string(getpid());
    fs::create_directories(aside_);
  }
  ~FolderAside() {
    std::error_code ignored;
    fs::remove_all(aside_, ignored);
  }
  FolderAside(const FolderAside&) = delete;
  FolderAside& operator=(const FolderAside&) = delete;

  const fs::path& path() const { return aside_; }
  void finish() {
    if (fs::exists(target_)) throw Error("was made by somebody else meanwhile", target_.string(), "name another --out");
    fs::rename(aside_, target_);
  }

 private:
  // "out/" is "out": what stands aside must not be inside.
  static fs::path without_slash(const fs::path& path) {
    const fs::path normal = path.lexically_normal();
    return normal.has_filename() ? normal : normal.parent_path();
  }

  fs::path target_, aside_;
};

void list_formats() {
  const auto yes = [](bool value) { return value ? "yes" : "-"; };
  std::printf("%-12s %-6s %-6s %-6s %-6s %-6s %-33s %-30s %s\n", "format", "batch*", "size*", "exact", "boxes", "fp16",
              "files", "needs", "verified with");
  for (const FormatRow& row : export_formats()) {
    std::printf("%-12s %-6s %-6s %-6s %-6s %-6s %-33s %-30s %s\n", row.name.c_str(), yes(row.dynamic_batch),
                yes(row.dynamic_size), yes(row.exact_peaks), yes(row.boxes), yes(row.half), row.file.c_str(),
                row.needs.c_str(), row.verified.c_str());
  }
  std::printf(
      "\nbatch*, size*: may be dynamic. exact: peaks by comparison instead of arithmetic. boxes: inside the graph.\n"
      "Every format takes normalised images or rgb/bgr pixels, and gives heads or peaks.\n");
}

ExportOptions options_from(const ExportArguments& arguments, const ModelSpec& spec) {
  ExportOptions options;
  options.format = find_format(arguments.format).format;
  options.dynamic_batch = arguments.dynamic_batch;
  options.dynamic_size = arguments.dynamic_size;
  options.opset = arguments.opset;
  GraphOptions& graph = options.graph;
  graph.width = arguments.size.empty() ? spec.width : arguments.size[0];
  graph.height = arguments.size.empty() ? spec.height : arguments.size[1];
  graph.batch = arguments.batch;
  graph.input = arguments.input == "rgb"   ? GraphInput::kRgb
                : arguments.input == "bgr" ? GraphInput::kBgr
                                           : GraphInput::kNormalised;
  graph.outputs = arguments.outputs == "peaks"   ? GraphOutputs::kPeaks
                  : arguments.outputs == "boxes" ? GraphOutputs::kBoxes
                                                 : GraphOutputs::kHeads;
  graph.exact_peaks = arguments.exact_peaks;
  graph.top_k = arguments.top_k;
  graph.half = arguments.half;
  check_export(options);
  return options;
}

// At the exported size and batch; what is dynamic, once more with others.
std::vector<Look> looks_of(const ExportOptions& options) {
  const GraphOptions& graph = options.graph;
  const bool any = options.format == ExportFormat::kTorchScript;
  std::vector<Look> looks = {{graph.width, graph.height, graph.batch}};
  if (options.dynamic_batch || any) {
    looks.push_back({graph.width, graph.height, 7});
    if (graph.batch != 1) looks.push_back({graph.width, graph.height, 1});
  }
  if (options.dynamic_size || any) looks.push_back({graph.width + 64, graph.height + 32, graph.batch});
  return looks;
}

void print(const Verification& verification, bool half) {
  const Agreement& agreement = verification.agreement;
  std::printf("%s: %d images", verification.runtime.c_str(), verification.images);
  for (const Look& look : verification.looks) std::printf(", %dx%d by %d", look.width, look.height, look.batch);
  std::printf("\n  largest difference:");
  for (const auto& [name, value] : agreement.largest) {
    std::printf("  %s %.2g (allowed %.2g)", name.c_str(), value, allowed_differences(agreement, half).at(name));
  }
  std::printf("\n  peaks above %.1f: %lld, missing %lld, new %lld\n", static_cast<double>(kPeakScore),
              static_cast<long long>(agreement.peaks), static_cast<long long>(agreement.missing),
              static_cast<long long>(agreement.extra));
  if (verification.ap) {
    std::printf("  AP %.2f, AP50 %.2f; the source has %.2f, %.2f\n", 100 * verification.ap->all.ap,
                100 * verification.ap->all.ap50, 100 * verification.source_ap->all.ap,
                100 * verification.source_ap->all.ap50);
  }
}

nlohmann::ordered_json json_of(const Verification& verification, const std::string& images) {
  const Agreement& agreement = verification.agreement;
  nlohmann::ordered_json json = {{"runtime", verification.runtime}, {"on", images},
                                 {"images", verification.images},   {"largest_difference", agreement.largest},
                                 {"peaks", agreement.peaks},        {"peaks_missing", agreement.missing},
                                 {"peaks_new", agreement.extra}};
  for (const Look& look : verification.looks) {
    json["looks"].push_back({{"width", look.width}, {"height", look.height}, {"batch", look.batch}});
  }
  if (verification.ap) {
    json["ap"] = verification.ap->all.ap;
    json["source_ap"] = verification.source_ap->all.ap;
  }
  return json;
}

void check_ap(const Verification& verification, bool half) {
  const double allowed = half ? 0.005 : 0.001;  // 0.5 and 0.1 points
  if (!verification.ap || std::abs(verification.ap->all.ap - verification.source_ap->all.ap) <= allowed) return;
  throw Error("the exported file's AP is not the source's", verification.runtime);
}

// The comparisons as JSON; throws Error when one of them fails.
nlohmann::ordered_json verify(Detector& model, const ExportArguments& arguments, const ExportOptions& options,
                              const fs::path& folder) {
  const ExportImages images =
      export_images(arguments.images, arguments.annotations, arguments.count, arguments.weights, model.spec());
  std::vector<std::string> skipped;
  nlohmann::ordered_json verified = nlohmann::ordered_json::array();
  GraphOptions compared = options.graph;
  if (options.format == ExportFormat::kTensorRt) compared.half = false;  // the file is float32, the engine is not
  for (const auto& runtime : runtimes_of(options, arguments.python, folder, skipped)) {
    const Verification result = verify_export(model, *runtime, images.set, compared, looks_of(options), images.scored);
    print(result, compared.half);
    const std::string wrong = disagreement(result.agreement, compared.half);
    if (!wrong.empty()) throw Error("the exported file is not its source: " + wrong, result.runtime);
    check_ap(result, compared.half);
    if (const std::string why = not_compared(result.agreement, compared.outputs); !why.empty()) {
      skipped.push_back(result.runtime + ": " + why + "; name others with --images");
      continue;
    }
    verified.push_back(json_of(result, images.what));
  }
  for (const std::string& what : skipped) log::warn("not checked with {}", what);
  if (verified.empty()) log::warn("this file has NOT been verified");
  return verified;
}

void export_model(const ExportArguments& arguments) {
  if (arguments.list) return list_formats();
  if (arguments.weights.empty() || arguments.out.empty()) {
    throw Error("weights and --out are needed", "export", "conclave export --help shows examples", Exit::kUsage);
  }
  log::start();
  const LoadedDetector loaded = load_detector(arguments.weights);
  const ExportOptions options = options_from(arguments, loaded.model->spec());
  const ExportSource source{arguments.weights, loaded.hash,
                            thresholds_from(TensorFile::open(arguments.weights).metadata(), arguments.weights)};
  FolderAside folder(arguments.out);
  write_export(*loaded.model, source, options, arguments.python, folder.path());
  nlohmann::ordered_json about = describe_export(loaded.model->spec(), source, options);
  about["verified"] =
      arguments.no_verify ? nlohmann::ordered_json::array() : verify(*loaded.model, arguments, options, folder.path());
  write_file_atomically(folder.path() / "model.json", about.dump(2) + "\n");
  folder.finish();
  std::printf("%s: %s\n", arguments.out.c_str(), find_format(arguments.format).file.c_str());
}

}  // namespace

void add_export(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("export", "a network for other runtimes, compared with its source");
  verb->footer(
      "Examples:\n"
      "  conclave export --list\n"
      "  conclave export runs/merged/weights/best.safetensors --format onnx --out merged-onnx\n"
      "  conclave export student.safetensors --format onnx --opset 13 --input bgr --outputs peaks --out for-opencv\n"
      "  conclave export student.safetensors --format torchscript --outputs boxes --out boxes --images val/ \\\n"
      "    --annotations val.json\n"
      "  conclave export student.safetensors --format tensorrt --dynamic-batch --fp16 --out trt\n\n"
      "The folder holds the network, model.json (what it takes and gives, how it was verified) and examples that load\n"
      "it and draw boxes.");
  auto arguments = std::make_shared<ExportArguments>();
  verb->add_flag("--list", arguments->list, "every format, what it takes and how it is verified");
  verb->add_option("weights", arguments->weights, "a safetensors file of train or distill");
  verb->add_option("--format", arguments->format, "onnx, torchscript, caffe, tensorrt, openvino or ncnn")
      ->capture_default_str();
  verb->add_option("--out", arguments->out, "a new folder");
  verb->add_option("--size", arguments->size, "input width and height; default: what the weights were trained at")
      ->expected(2);
  verb->add_option("--batch", arguments->batch, "images of a call")->check(CLI::Range(1, 1024))->capture_default_str();
  verb->add_flag("--dynamic-batch", arguments->dynamic_batch, "any number of images");
  verb->add_flag("--dynamic-size", arguments->dynamic_size, "any width and height that are multiples of 32");
  verb->add_option("--input", arguments->input, "normalised (float), or rgb or bgr pixels, normalised in the graph")
      ->check(CLI::IsMember({"normalised", "rgb", "bgr"}))
      ->capture_default_str();
  verb->add_option("--outputs", arguments->outputs, "heads; peaks: 3x3 peaks as probabilities; boxes: decoded, top k")
      ->check(CLI::IsMember({"heads", "peaks", "boxes"}))
      ->capture_default_str();
  verb->add_flag("--exact-peaks", arguments->exact_peaks, "find peaks by comparison, not by arithmetic");
  verb->add_option("--top-k", arguments->top_k, "boxes per image")->check(CLI::Range(1, 3840))->capture_default_str();
  verb->add_option("--opset", arguments->opset, "of ONNX, 13 to 17; 13 for OpenCV 4.6 and other old readers")
      ->capture_default_str();
  verb->add_flag("--fp16", arguments->half, "compute in float16; input and outputs stay float32");
  verb->add_flag("--no-verify", arguments->no_verify, "don't compare the file with its source");
  verb->add_option("--images", arguments->images,
                   "images and folders to compare on; default: the run's, else drawn ones");
  verb->add_option("--annotations", arguments->annotations, "COCO JSON of --images: compare AP too, on all of them");
  verb->add_option("--count", arguments->count, "images to compare on without annotations")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  verb->add_option("--python", arguments->python, "has onnxruntime, openvino or ncnn, for checks and converters")
      ->capture_default_str();
  verb->callback([arguments, &action] { action = [arguments] { export_model(*arguments); }; });
}

}  // namespace conclave
