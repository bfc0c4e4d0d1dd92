#include <unistd.h>

#include <climits>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "cli/config_run.h"
#include "cli/run_command.h"
#include "cli/run_result.h"
#include "cli/run_teachers.h"
#include "cli/worker_processes.h"
#include "core/error.h"
#include "core/log.h"
#include "store/store_source.h"
#include "teachers/curve.h"
#include "teachers/local_source.h"
#include "teachers/remote_source.h"

namespace conclave {
namespace {

// The teachers' side of a run: where targets come from, and the processes behind it.
struct TeacherSide {
  std::unique_ptr<TargetSource> source;
  std::unique_ptr<WorkerProcesses> workers;  // destroyed first
};

// Workers know one address, rank 0's: each other rank takes a port or path of its own.
std::string bind_of_rank(const std::string& bind, int rank) {
  if (rank == 0) return bind;
  if (bind.starts_with("tcp://")) return bind.substr(0, bind.rfind(':')) + ":*";
  return bind + ".rank" + std::to_string(rank);
}

// Ranks on other hosts can't bind this host's addresses, and workers couldn't reach their loopback.
void check_bind(const std::string& bind, const World& world) {
  if (world.local_size == world.size || bind.starts_with("tcp://*:") || bind.starts_with("tcp://0.0.0.0:")) return;
  throw Error("is '" + bind + "', which the ranks of the other hosts can't bind", "service.bind",
              "with ranks on several hosts listen on all interfaces, tcp://*:5555, with keys (docs/cluster.md)",
              Exit::kUsage);
}

// On rank 0: where workers find each rank's source, in rank order.
std::vector<std::string> addresses_of_ranks(const std::string& own, ProcessGroup& ranks) {
  constexpr std::string_view kAnyHost = "tcp://0.0.0.0:";
  char host[HOST_NAME_MAX + 1] = {};
  ::gethostname(host, HOST_NAME_MAX);
  std::vector<std::string> addresses;
  for (const std::string& line : ranks.gather(std::string(host) + " " + own)) {
    const std::size_t end = line.find(' ');
    const std::string its_host = line.substr(0, end);
    std::string address = line.substr(end + 1);
    // Workers know rank 0's host; another one has to be named.
    if (address.starts_with(kAnyHost) && its_host != host)
      address = "tcp://" + its_host + ":" + address.substr(kAnyHost.size());
    addresses.push_back(std::move(address));
  }
  return addresses;
}

// The source that asks teachers; starts their workers into `side`.
std::unique_ptr<TargetSource> ask_teachers(TeacherSide& side, const RunOptions& options, const RunTeachers& teachers,
                                           ProcessGroup& ranks) {
  const SparseOptions sparse = sparse_options(options.fusion);
  if (options.service.source == "local") {
    std::vector<std::unique_ptr<Engine>> engines;
    for (const TeacherOptions& teacher : options.teachers) {
      engines.push_back(std::make_unique<Engine>(teacher.weights, teacher.engine));
    }
    return make_local_source(std::move(engines), options.views, sparse, options.service.remote.lease_views);
  }
  check_bind(options.service.remote.bind, ranks.world());
  RemoteOptions own = options.service.remote;
  own.bind = bind_of_rank(own.bind, ranks.rank());
  auto remote = RemoteSource::open(own, teachers.expected, options.views, sparse);
  log::info("teachers are served at {}", remote->address());
  const std::vector<std::string> addresses = addresses_of_ranks(remote->address(), ranks);
  if (!ranks.writes()) return remote;  // workers come through rank 0
  remote->announce(addresses);
  if (options.service.spawn) {
    side.workers =
        std::make_unique<WorkerProcesses>(options.teachers, remote->address(),
                                          std::filesystem::path(options.run) / "workers", options.service.remote.keys);
  } else {
    for (int t = 0; t < static_cast<int>(options.teachers.size()); ++t)
      log::info("waiting for workers: {}", remote->start_hint(t));
  }
  return remote;
}

// `side` stays where it is as long as its source lives.
void open_teachers(TeacherSide& side, const RunOptions& options, const RunTeachers& teachers, ProcessGroup& ranks) {
  const StoreOptions& kept = options.service.store;
  if (!needs_teachers(options.fusion.method)) {
    side.source = make_empty_source();
  } else if (kept.mode == StoreMode::kOff) {
    side.source = ask_teachers(side, options, teachers, ranks);
  } else {
    const bool replay = kept.mode == StoreMode::kReplay;
    auto store = std::make_unique<TargetStore>(kept, replay ? TargetStore::Access::kRead : TargetStore::Access::kWrite);
    log::info("{} targets are stored in {}", store->targets(), kept.folder);
    if (options.views_per_image == 0 && asks_every_view(options.fusion.method)) {
      log::warn(
          "data.views_per_image is 0: views are drawn afresh in every epoch and only this very run can use what is "
          "stored");
    }
    OpenTeachers open;
    if (!replay && ranks.size() == 1) {  // not before a view is missing
      open = [&side, &options, &teachers, &ranks] { return ask_teachers(side, options, teachers, ranks); };
    } else if (!replay) {  // workers hear of all ranks at once
      auto asked = std::make_shared<std::unique_ptr<TargetSource>>(ask_teachers(side, options, teachers, ranks));
      open = [asked] { return std::move(*asked); };
    }
    side.source = make_store_source(std::move(store), kept.mode, teachers.expected, options.views,
                                    sparse_options(options.fusion), std::move(open));
  }
}

void distill(const RunCommand& command, const RunOptions& options, ProcessGroup& ranks) {
  if (needs_teachers(options.fusion.method) && options.teachers.empty()) {
    throw Error("no teachers are given", command.config,
                "list them under `teachers:`; conclave distill --help shows one", Exit::kUsage);
  }
  if (needs_teachers(options.fusion.method) && options.service.source == "remote" &&
      options.service.store.mode != StoreMode::kReplay) {
    check_trainer_keys(options.service.remote.bind, options.service.remote.keys);
  }
  const RunTeachers teachers = read_teachers(options);
  Trainer trainer(options, teachers.channels, ranks);
  if (ranks.writes()) prepare_run(trainer, options, command);
  TeacherSide side;
  open_teachers(side, options, teachers, ranks);
  RunResult result;
  try {
    result = trainer.run(*side.source, command.resume);
  } catch (const Error& error) {
    if (error.exit() == Exit::kRankLost) side.source->keep_workers();  // the ranks may be started again
    const std::string failure = side.workers ? side.workers->failure() : "";
    if (failure.empty()) throw;
    throw Error(failure, options.run, "mend the cause, then go on with --resume");
  }
  ranks.finish();
  side.source.reset();  // says goodbye, so that workers leave by themselves
  side.workers.reset();
  if (ranks.writes()) write_run_result(options, teachers, trainer.coverage_text(), result);
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
      "  conclave distill merge.yaml fusion.method=pseudo run=runs/pseudo\n"
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
