#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/config_run.h"
#include "core/error.h"

namespace conclave {
namespace {

struct ConfigArguments {
  std::string config;
  std::vector<std::string> overrides;
  bool reference = false;
};

void show(const ConfigArguments& arguments) {
  if (arguments.reference) {
    std::fputs(config_reference_markdown().c_str(), stdout);
    return;
  }
  if (arguments.config.empty()) {
    throw Error("no configuration is named", {}, "conclave config run.yaml, or conclave config --reference",
                Exit::kUsage);
  }
  std::fputs(resolved_with_sources(arguments.config, arguments.overrides).c_str(), stdout);
}

}  // namespace

void add_config(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("config", "a configuration, resolved, with the file:line that set each value");
  verb->footer(
      "Examples:\n"
      "  conclave config configs/bccd/kd.yaml training.lr=1e-3\n"
      "  conclave config --reference              # every key with its type, default and meaning");
  auto arguments = std::make_shared<ConfigArguments>();
  verb->add_option("config", arguments->config, "a YAML file");
  verb->add_option("overrides", arguments->overrides, "key=value, e.g. training.lr=1e-3");
  verb->add_flag("--reference", arguments->reference, "print the reference of all keys as Markdown");
  verb->callback([arguments, &action] { action = [arguments] { show(*arguments); }; });
}

}  // namespace conclave
