#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/config_run.h"
#include "cli/run_command.h"
#include "cli/run_result.h"
#include "cli/run_teachers.h"
#include "cli/worker_processes.h"
#include "core/error.h"
#include "core/log.h"
#include "teachers/local_source.h"
#include "teachers/remote_source.h"

namespace conclave {
namespace {

// The teachers' side of a run: where targets come from, and the processes behind it.
struct TeacherSide {
  std::unique_ptr<TargetSource> source;
  std::unique_ptr<WorkerProcesses> workers;  // destroyed first
};

TeacherSide open_teachers(const RunOptions& options, const RunTeachers& teachers) {
  TeacherSide side;
  if (!needs_teachers(options.fusion.method)) {
    side.source = make_empty_source();
    return side;
  }
  const SparseOptions sparse = sparse_options(options.fusion);
  if (options.service.source == "local") {
    std::vector<std::unique_ptr<Engine>> engines;
    for (const TeacherOptions& teacher : options.teachers) {
      engines.push_back(std::make_unique<Engine>(teacher.weights, teacher.engine));
    }
    side.source = make_local_source(std::move(engines), options.views, sparse, options.service.remote.lease_views);
    return side;
  }
  auto remote = RemoteSource::open(options.service.remote, teachers.expected, options.views, sparse);
  log::info("teachers are served at {}", remote->address());
  if (options.service.spawn) {
    side.workers = std::make_unique<WorkerProcesses>(options.teachers, remote->address(),
                                                     std::filesystem::path(options.run) / "workers");
  } else {
    for (const TeacherOptions& teacher : options.teachers) {
      log::info("waiting for workers: conclave teach --connect {} --name {} --weights {}", remote->address(),
                teacher.name, teacher.weights.empty() ? "FILE" : teacher.weights);
    }
  }
  side.source = std::move(remote);
  return side;
}

void distill(const RunCommand& command) {
  const RunOptions options = read_run(command);
  if (needs_teachers(options.fusion.method) && options.teachers.empty()) {
    throw Error("no teachers are given", command.config,
                "list them under `teachers:`; conclave distill --help shows one", Exit::kUsage);
  }
  const RunTeachers teachers = read_teachers(options);
  Trainer trainer(options, teachers.channels);
  prepare_run(trainer, options, command);
  TeacherSide side = open_teachers(options, teachers);
  RunResult result;
  try {
    result = trainer.run(*side.source, command.resume);
  } catch (const Error&) {
    const std::string failure = side.workers ? side.workers->failure() : "";
    if (failure.empty()) throw;
    throw Error(failure, options.run, "mend the cause, then go on with --resume");
  }
  side.source.reset();  // says goodbye, so that workers leave by themselves
  side.workers.reset();
  write_run_result(options, teachers, trainer.coverage_text(), result);
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
      "  conclave distill merge.yaml --resume                 # go on after Ctrl-C, a crash or a stall\n"
      "  conclave distill merge.yaml fusion.method=pseudo run=runs/pseudo\n"
      "  conclave distill merge.yaml service.spawn=false service.bind=tcp://127.0.0.1:5555\n"
      "      # workers come from outside: conclave teach --connect tcp://127.0.0.1:5555 --name person --weights …\n\n"
      "docs/configuration.md lists every key; `conclave config merge.yaml` shows the resolved values and where each "
      "was set.");
  auto command = add_run_options(*verb);
  verb->callback([command, &action] { action = [command] { distill(*command); }; });
}

}  // namespace conclave
