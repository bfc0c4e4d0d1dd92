#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/compare_run.h"
#include "core/log.h"
#include "core/stop.h"

namespace conclave {
namespace {

struct CompareArguments {
  std::string config;
  std::vector<std::string> overrides;
  bool dry_run = false;
};

void compare(const CompareArguments& arguments) {
  log::start();
  const CompareOptions options = read_compare_options(arguments.config, arguments.overrides);
  if (arguments.dry_run) {
    const ComparePlan plan = plan_as_far_as_known(options);
    check_same_comparison(plan.folder, plan.facts);
    std::fputs(plan_text(plan).c_str(), stdout);
    return;
  }
  install_stop_signals();
  const CompareOutcome outcome = run_comparison(options);
  const Comparison& comparison = outcome.comparison;
  std::printf("\n");
  for (const std::string& sentence : comparison.verdicts) std::printf("%s\n", sentence.c_str());
  for (const std::string& note : comparison.notes) std::printf("%s\n", note.c_str());
  std::printf("\nreport: %s\n", (std::filesystem::path(options.run) / "report.html").c_str());
  if (outcome.failure) throw *outcome.failure;
}

}  // namespace

void add_compare(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("compare", "methods against each other at equal budget over seeds: one report");
  verb->footer(
      "A comparison of two methods (compare.yaml, beside merge.yaml of conclave distill --help):\n"
      "  base: merge.yaml                # every run starts from it\n"
      "  seeds: [0, 1, 2, 3, 4]\n"
      "  budget: {images: 8000}          # or {seconds: 120}: of training, for every run\n"
      "  slots: 2                        # runs side by side\n"
      "  baseline: pseudo\n"
      "  methods:\n"
      "    kd: {set: {fusion.method: kd}}\n"
      "    pseudo: {set: {fusion.method: pseudo}}\n\n"
      "Examples:\n"
      "  conclave compare compare.yaml --dry-run     # what would run, and about how long\n"
      "  conclave compare compare.yaml               # runs what is missing; also after Ctrl-C, a crash, a failure\n"
      "  conclave compare compare.yaml 'seeds=[0, 1, 2, 3, 4, 5, 6]'   # two seeds more\n"
      "  conclave compare configs/bccd/compare.yaml  # with its data split and its teachers, from nothing to report\n\n"
      "docs/compare.md tells what the file may hold and how to read the report.");
  auto arguments = std::make_shared<CompareArguments>();
  verb->add_option("config", arguments->config, "a YAML file")->required();
  verb->add_option("overrides", arguments->overrides, "key=value, e.g. slots=4");
  verb->add_flag("--dry-run", arguments->dry_run, "check everything and show the plan; run nothing, write nothing");
  verb->callback([arguments, &action] { action = [arguments] { compare(*arguments); }; });
}

}  // namespace conclave
