#include "cli/runner.h"

#include <nlohmann/json.hpp>

#include "cli/export_runner.h"
#include "core/error.h"
#include "core/tensor_file.h"
#include "models/weights.h"
#include "student/device.h"
#include "student/evaluate.h"

namespace conclave {
namespace {

Runner open_weights(const std::filesystem::path& file, const RunnerOptions& options) {
  LoadedDetector loaded = load_detector(file);
  EvaluateOptions evaluate;
  evaluate.device = options.device;
  evaluate.bf16 = evaluate.channels_last = options.bf16;
  place(*loaded.model, device_of(options.device), evaluate.channels_last);
  const ModelSpec& spec = loaded.model->spec();
  Runner runner;
  runner.network = [model = loaded.model, run = run_detector(*loaded.model, evaluate)](const at::Tensor& pixels) {
    return run(pixels);
  };
  runner.format = "safetensors";
  runner.classes = spec.classes;
  runner.width = spec.width;
  runner.height = spec.height;
  runner.hash = loaded.hash;
  runner.thresholds = thresholds_from(TensorFile::open(file).metadata(), file.string());
  runner.file_bytes = static_cast<std::int64_t>(std::filesystem::file_size(file));
  runner.detector = std::move(loaded.model);
  return runner;
}

}  // namespace

std::map<std::string, double> thresholds_from(const std::map<std::string, std::string>& metadata,
                                              const std::string& where) {
  const auto entry = metadata.find("thresholds");
  if (entry == metadata.end()) return {};
  const nlohmann::json json = nlohmann::json::parse(entry->second, nullptr, false);
  const auto bad = [&] {
    return Error("the metadata entry 'thresholds' is not a map of classes to scores in [0,1]", where);
  };
  if (!json.is_object()) throw bad();
  std::map<std::string, double> thresholds;
  for (const auto& [name, value] : json.items()) {
    if (!value.is_number()) throw bad();
    const double score = value.get<double>();
    if (!(score >= 0 && score <= 1)) throw bad();
    thresholds[name] = score;
  }
  return thresholds;
}

Runner open_runner(const std::filesystem::path& file, const RunnerOptions& options) {
  return is_export(file) ? open_export(file, options) : open_weights(file, options);
}

ViewOptions views_for(const Runner& runner, const std::vector<int>& size, const std::vector<double>& scales) {
  ViewOptions views;
  views.width = size.empty() ? runner.width : size[0];
  views.height = size.empty() ? runner.height : size[1];
  for (const int side : {views.width, views.height}) {
    if (side < 32 || side % 32 != 0) {
      throw Error("an input's sides are multiples of 32", "--size", {}, Exit::kUsage);
    }
  }
  const bool other = views.width != runner.width || views.height != runner.height || scales != std::vector<double>{1};
  if (other && !runner.any_size) {
    throw Error("this export takes " + std::to_string(runner.width) + "x" + std::to_string(runner.height) + " alone",
                "--size, --scales", "conclave export --dynamic-size makes one that takes any", Exit::kUsage);
  }
  return views;
}

}  // namespace conclave
