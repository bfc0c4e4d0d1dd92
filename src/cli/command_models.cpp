#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "core/error.h"
#include "export/cost.h"
#include "models/weights.h"
#include "models/zoo.h"

namespace conclave {
namespace {

struct ModelsArguments {
  std::string weights;
  std::vector<int> size = {512, 512};
};

void describe_file(const std::string& path) {
  const LoadedDetector loaded = load_detector(path);
  const ModelSpec& spec = loaded.model->spec();
  const Cost cost = cost_of(*loaded.model, spec.width, spec.height);
  std::string classes;
  for (const std::string& name : spec.classes) classes += (classes.empty() ? "" : ", ") + name;
  std::printf(
      "file        %s\nsha256      %s\nnetwork     %s\nclasses     %s\ninput       %d x %d\nparameters  %lld\nGFLOPs   "
      "   %.3f\n",
      path.c_str(), loaded.hash.c_str(), describe(spec.architecture).c_str(), classes.c_str(), spec.width, spec.height,
      static_cast<long long>(cost.parameters), cost.gflops);
}

void models(const ModelsArguments& arguments) {
  if (!arguments.weights.empty()) return describe_file(arguments.weights);
  if (arguments.size[0] % 32 != 0 || arguments.size[1] % 32 != 0) {
    throw Error("an input's sides are multiples of 32", "--size", {}, Exit::kUsage);
  }
  std::printf("%-62s %12s %8s\n",
              ("network at " + std::to_string(arguments.size[0]) + "x" + std::to_string(arguments.size[1])).c_str(),
              "parameters", "GFLOPs");
  for (const ZooRow& row : zoo_table(arguments.size[0], arguments.size[1])) {
    std::printf("%-62s %12lld %8.3f\n", row.name.c_str(), static_cast<long long>(row.cost.parameters), row.cost.gflops);
  }
}

}  // namespace

void add_models(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("models", "the networks that can be trained, or what a weights file holds");
  verb->footer(
      "Examples:\n"
      "  conclave models                                     # parameters and GFLOPs at 512x512\n"
      "  conclave models --size 256 192\n"
      "  conclave models runs/merged/weights/best.safetensors");
  auto arguments = std::make_shared<ModelsArguments>();
  CLI::Option* file = verb->add_option("weights", arguments->weights, "describe this file instead, at its own size");
  verb->add_option("--size", arguments->size, "input width and height")
      ->expected(2)
      ->excludes(file)
      ->check(CLI::Range(32, 8192))
      ->capture_default_str();
  verb->callback([arguments, &action] { action = [arguments] { models(*arguments); }; });
}

}  // namespace conclave
