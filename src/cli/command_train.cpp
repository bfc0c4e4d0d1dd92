#include <memory>

#include "cli/commands.h"
#include "cli/config_run.h"
#include "cli/run_command.h"
#include "cli/run_result.h"
#include "core/error.h"
#include "teachers/local_source.h"

namespace conclave {
namespace {

void train(const RunCommand& command, const RunOptions& options, ProcessGroup& ranks) {
  const Method method = options.fusion.method;
  if (needs_teachers(method)) {
    throw Error("fusion.method is " + name_of(method) + ", which needs teachers", command.config,
                "use conclave distill, or fusion.method=labels (ignore, background)", Exit::kUsage);
  }
  Trainer trainer(options, {}, ranks);
  if (ranks.writes()) prepare_run(trainer, options, command);
  const auto source = make_empty_source();
  const RunResult result = trainer.run(*source, command.resume, resolved_config(command.config, command.overrides));
  ranks.finish();
  if (ranks.writes()) write_run_result(options, {}, trainer, result);
}

}  // namespace

void add_train(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("train", "a detector from labels: a teacher, or the upper bound");
  verb->footer(
      "A configuration (person.yaml):\n"
      "  run: runs/person\n"
      "  classes: [person]\n"
      "  model: {backbone: resnet18, input: [512, 512]}\n"
      "  data:\n"
      "    train: [{name: people, images: photos/, annotations: people.json}]   # COCO JSON\n"
      "    val: {name: val, images: val/, annotations: val.json}\n"
      "  fusion: {method: labels}\n\n"
      "Examples:\n"
      "  conclave train person.yaml\n"
      "  conclave train person.yaml training.lr=1e-3 training.steps=5000 run=runs/person-slow\n"
      "  conclave train person.yaml --ranks 2                 # two processes that share each batch\n"
      "  conclave train person.yaml --resume");
  auto command = add_run_options(*verb);
  verb->callback([command, &action] {
    action = [command] {
      run_in_ranks(*command, [&](const RunOptions& options, ProcessGroup& ranks) { train(*command, options, ranks); });
    };
  });
}

}  // namespace conclave
