#include "cli/run_command.h"

#include <cstdio>
#include <filesystem>

#include "cli/config_run.h"
#include "core/file.h"
#include "core/log.h"
#include "core/stop.h"
#include "student/run_folder.h"

namespace conclave {

std::shared_ptr<RunCommand> add_run_options(CLI::App& verb) {
  auto command = std::make_shared<RunCommand>();
  verb.add_option("config", command->config, "a YAML file")->required();
  verb.add_option("overrides", command->overrides, "key=value, e.g. training.lr=1e-3");
  verb.add_flag("--resume", command->resume, "go on from the newest checkpoint of the run folder");
  return command;
}

RunOptions read_run(const RunCommand& command) {
  log::start();
  install_stop_signals();
  return read_run_options(command.config, command.overrides);
}

void prepare_run(const Trainer& trainer, const RunOptions& options, const RunCommand& command) {
  const RunFolder folder = open_run_folder(options.run, command.resume);
  std::printf("%s\n", trainer.coverage_text().c_str());
  std::fflush(stdout);
  if (!std::filesystem::exists(folder.config())) {
    write_file_atomically(folder.config(), resolved_config(command.config, command.overrides));
  }
}

}  // namespace conclave
