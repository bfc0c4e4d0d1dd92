#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/config_run.h"
#include "cli/run_command.h"
#include "cli/run_result.h"
#include "cli/run_teachers.h"
#include "cli/teacher_side.h"
#include "core/error.h"

namespace conclave {
namespace {

void distill(const RunCommand& command, const RunOptions& options, ProcessGroup& ranks) {
  check_teachers(options, command.config);
  const RunTeachers teachers = read_teachers(options);
  Trainer trainer(options, teachers.channels, ranks);
  trainer.check_ranks(command.resume);
  if (ranks.writes()) prepare_run(trainer, options, command);
  TeacherSide side;
  open_teachers(side, options, teachers, ranks);
  RunResult result;
  try {
    result = trainer.run(*side.source, command.resume, resolved_config(command.config, command.overrides));
  } catch (const Error& error) {
    if (error.exit() == Exit::kRankLost) side.source->keep_workers();  // the ranks may be started again
    const std::string failure = side.workers ? side.workers->failure() : "";
    if (failure.empty()) throw;
    throw Error(failure, options.run, "mend the cause, then go on with --resume");
  }
  ranks.finish();
  side.source.reset();  // says goodbye, so that workers leave by themselves
  side.workers.reset();
  if (ranks.writes()) write_run_result(options, teachers, trainer, result);
}

}  // namespace

void add_distill(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("distill", "the main job: merge teachers into one student");
  verb->footer(
      "A configuration that merges two teachers of your own (merge.yaml):\n"
      "  run: runs/merged\n"
      "  classes: [person, car]\n"
      "  model: {backbone: resnet18, input: [512, 512]}\n"
      "  data:\n"
      "    train: [{name: mine, images: photos/}]           # unlabelled photos\n"
      "  teachers:\n"
      "    - {name: person, weights: person.safetensors}\n"
      "    - {name: car, weights: car.safetensors, workers: 2}\n\n"
      "Examples:\n"
      "  conclave distill merge.yaml                          # starts the teachers' workers by itself\n"
      "  conclave distill merge.yaml training.steps=20000 run=runs/long\n"
      "  conclave distill merge.yaml --ranks 2                # two processes that share each batch\n"
      "  torchrun --no-python --nproc-per-node 8 conclave distill merge.yaml training.device=cuda\n"
      "  conclave distill merge.yaml --resume                 # go on after Ctrl-C, a crash or a stall\n"
      "  conclave distill merge.yaml fusion.method=pseudo fusion.pseudo.threshold=0.3 run=runs/pseudo\n"
      "  conclave distill merge.yaml data.views_per_image=8 service.store.mode=auto service.store.folder=targets\n"
      "      # keeps what the teachers say; a later run of the same teachers takes it from there (conclave store)\n"
      "  conclave distill merge.yaml service.spawn=false service.bind=tcp://127.0.0.1:5555\n"
      "      # workers come from outside: conclave teach --connect tcp://127.0.0.1:5555 --name person --weights …\n"
      "  conclave distill merge.yaml service.bind=tcp://*:5555 service.keys.secret=trainer.key "
      "'service.keys.allow=[workers/]'\n"
      "      # workers on other hosts: conclave keys --help\n\n"
      "docs/configuration.md lists every key; `conclave config merge.yaml` shows the resolved values and where each "
      "was set.");
  auto command = add_run_options(*verb);
  auto insecure = std::make_shared<bool>(false);
  verb->add_flag("--insecure", *insecure, "listen to other hosts without keys; the same as service.insecure=true");
  verb->callback([command, insecure, &action] {
    if (*insecure) command->overrides.push_back("service.insecure=true");
    action = [command] {
      run_in_ranks(*command,
                   [&](const RunOptions& options, ProcessGroup& ranks) { distill(*command, options, ranks); });
    };
  });
}

}  // namespace conclave
