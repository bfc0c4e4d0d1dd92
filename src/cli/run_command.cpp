#include "cli/run_command.h"

#include <cstdio>
#include <filesystem>

#include "cli/child_process.h"
#include "cli/config_run.h"
#include "cli/idle_options.h"
#include "cli/rank_processes.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/stop.h"
#include "datasets/image_files.h"
#include "student/device.h"
#include "student/run_folder.h"

namespace conclave {
namespace {

// The command line of one rank.
std::vector<std::string> words_of(const RunCommand& command) {
  std::vector<std::string> words = {path_of_this_program(), command.verb, command.config};
  words.insert(words.end(), command.overrides.begin(), command.overrides.end());
  if (command.resume) words.push_back("--resume");
  return words;
}

}  // namespace

std::shared_ptr<RunCommand> add_run_options(CLI::App& verb) {
  auto command = std::make_shared<RunCommand>();
  command->verb = verb.get_name();
  verb.add_option("config", command->config, "a YAML file")->required();
  verb.add_option("overrides", command->overrides, "key=value, e.g. training.lr=1e-3");
  verb.add_flag("--resume", command->resume, "go on from the newest checkpoint of the run folder");
  CLI::Option* ranks = verb.add_option(
      "--ranks", command->ranks, "processes on this host that share each batch; under torchrun or srun leave it out");
  ranks->check(CLI::Range(1, 1024));
  verb.add_option("--max-restarts", command->max_restarts, "start all ranks again so often after one died")
      ->check(CLI::Range(0, 1000000))
      ->needs(ranks);
  return command;
}

void run_in_ranks(RunCommand& command, const RankAction& action) {
  const World world = command.ranks > 0 ? World() : world_of_this_process();
  log::start(world.size > 1 ? "rank " + std::to_string(world.rank) : "");
  install_stop_signals();
  if (world.attempt > 0) command.resume = true;
  const RunOptions options = read_run_options(command.config, command.overrides);
  if (command.ranks > 1) {
    return run_ranks(words_of(command), command.ranks, command.max_restarts,
                     std::filesystem::path(options.run) / "ranks");
  }
  ProcessGroup ranks(world, options.ranks, device_of(options.training.device, world.local_rank));
  try {
    action(options, ranks);
  } catch (const Error& error) {
    ranks.fail(error.what());
    throw;
  }
}

namespace {

// So that a fault of the test set is told before the training, not after it.
void check_test_set(const RunOptions& options, const std::vector<Dataset>& learnt_from) {
  if (options.test.name.empty()) return;
  const Dataset test = load_dataset(options.test, options.classes);
  const std::size_t seen = shared_images(test, learnt_from);
  if (seen == 0) return;
  log::warn("{} of the {} images of data.test are in data.train, too: the test will say nothing about new images", seen,
            test.images.size());
}

}  // namespace

void prepare_run(const Trainer& trainer, const RunOptions& options, const RunCommand& command) {
  const RunFolder folder = open_run_folder(options.run, command.resume);
  std::printf("%s\n", trainer.coverage_text().c_str());
  std::fflush(stdout);
  check_test_set(options, trainer.datasets());
  for (const std::size_t set : idle_sets(trainer.coverage())) {
    log::warn(
        "set {} teaches nothing with fusion.method {}: leave it out of data.train, or its images take the place of "
        "others in every batch",
        options.train.at(set).name, name_of(options.fusion.method));
  }
  for (const IdleOption& option : idle_options(options)) log::warn("{} {}", option.key, option.why);
  if (!options.val.name.empty() && options.training.eval_every == 0) {
    log::info("data.val is looked at once, at the end; training.eval_every=N chooses the best weights on the way");
  }
  if (!std::filesystem::exists(folder.config())) {
    write_file_atomically(folder.config(), resolved_config(command.config, command.overrides));
  }
}

}  // namespace conclave
