#include <unistd.h>

#include <memory>
#include <string>

#include "cli/commands.h"
#include "core/log.h"
#include "core/stop.h"
#include "teachers/worker.h"

namespace conclave {

void add_teach(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("teach", "one teacher worker: serve leases until told to stop");
  verb->footer(
      "Examples:\n"
      "  conclave teach --connect tcp://127.0.0.1:5555 --name person --weights runs/person/weights/best.safetensors\n"
      "  conclave teach --connect tcp://trainer:5555 --name car --weights car.safetensors --root /mnt/images\n\n"
      "A worker needs no configuration: the trainer tells it how views are drawn. Start as many per teacher as you "
      "like,\n"
      "before or after the trainer, on any host that sees the image files. SIGTERM hands its leases back.");
  auto options = std::make_shared<WorkerOptions>();
  verb->add_option("--connect", options->connect, "the trainer's address, as distill prints it")->required();
  verb->add_option("--name", options->name, "the teacher's name in the trainer's configuration")->required();
  verb->add_option("--weights", options->weights, "its weights, a safetensors file of conclave train")->required();
  verb->add_option("--root", options->root, "prefix for relative image paths on this host");
  verb->add_option("--capacity", options->capacity, "leases held at once")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  verb->add_option("--threads", options->engine.threads, "intra-op threads; must equal the trainer's setting")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  verb->add_flag("--bf16", options->engine.bf16, "compute in bfloat16; must equal the trainer's setting");
  verb->add_flag("--channels-last", options->engine.channels_last, "memory format; must equal the trainer's setting");
  verb->add_option("--device", options->engine.device, "cpu, cuda or cuda:N")->capture_default_str();
  verb->add_option("--connect-timeout", options->connect_timeout,
                   "seconds without a word from the trainer before giving up")
      ->capture_default_str();
  verb->callback([options, &action] {
    action = [options] {
      log::start("teacher " + options->name + " " + std::to_string(getpid()));
      install_stop_signals();
      const WorkerReport report = run_worker(*options, stop_requested);
      log::info("served {} leases, {} views, {:.1f} KB", report.leases, report.views,
                static_cast<double>(report.bytes) / 1e3);
    };
  });
}

}  // namespace conclave
