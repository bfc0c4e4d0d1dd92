#include <unistd.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/config_teacher.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/join.h"
#include "core/log.h"
#include "core/stop.h"
#include "monitor/status.h"
#include "monitor/status_server.h"
#include "store/worker_store.h"
#include "teachers/worker.h"

namespace conclave {
namespace {

// What the command line gives, before it is paired and scaled.
struct TeachFlags {
  std::vector<std::string> names, weights, files;
  std::size_t memory_mb = 256;
  std::string status;  // HOST:PORT; empty: none
  std::string store;   // a folder; empty: none
  WorkerOptions options;
};

// The worker's status pages, fed by its loop.
class WorkerPages {
 public:
  WorkerPages(const TeachFlags& flags, const std::vector<std::string>& names) : begin_(clock_.now()) {
    status_.teachers = names;
    status_.trainer = flags.options.connect;
    if (flags.status.empty()) return;
    server_.emplace(flags.status, StatusServer::Pages{[this] { return to_prometheus(now()); },
                                                      [this] { return to_json(now()).dump() + "\n"; }});
    log::info("status at http://{}/status and /metrics", server_->address());
  }

  void show(const WorkerReport& report) {
    std::lock_guard lock(mutex_);
    status_.worker = report.worker;
    status_.leases = report.leases;
    status_.views = report.views;
    status_.bytes = report.bytes;
    status_.stored_views = report.stored_views;
  }

 private:
  WorkerStatus now() const {
    std::lock_guard lock(mutex_);
    WorkerStatus status = status_;
    status.up_seconds = (clock_.now() - begin_).count();
    return status;
  }

  const SystemClock clock_;
  const TimePoint begin_;
  mutable std::mutex mutex_;
  WorkerStatus status_;                 // guarded by mutex_
  std::optional<StatusServer> server_;  // last: its threads read the rest
};

void teach(const TeachFlags& flags) {
  WorkerOptions options = flags.options;
  if (flags.names.size() != flags.weights.size()) {
    throw Error("there are " + std::to_string(flags.names.size()) + " times --name and " +
                    std::to_string(flags.weights.size()) + " times --weights",
                "teach", "give both for each teacher, in the same order", Exit::kUsage);
  }
  for (std::size_t i = 0; i < flags.names.size(); ++i)
    options.teachers.push_back({flags.names[i], TeacherFile(flags.weights[i])});
  for (const std::string& file : flags.files) {
    const TeacherOptions teacher = read_teacher_file(file);
    options.teachers.push_back({teacher.name, teacher.file()});
  }
  if (options.teachers.empty()) {
    throw Error("no teacher is given", "teach", "name one with --name and --weights, or with --teacher", Exit::kUsage);
  }
  options.memory = flags.memory_mb << 20;
  if (!flags.store.empty()) {
    options.cache = [&](const std::vector<ExpectedTeacher>& teachers) {
      StoreOptions store;
      store.folder = flags.store;
      return make_worker_store(std::make_unique<TargetStore>(store, TargetStore::Access::kWrite), teachers,
                               options.root);
    };
  }
  std::vector<std::string> names;
  for (const WorkerTeacher& teacher : options.teachers) names.push_back(teacher.name);
  log::start("teacher " + join(names, "+") + " " + std::to_string(getpid()));
  install_stop_signals();
  WorkerPages pages(flags, names);
  const WorkerReport report = run_worker(options, stop_requested, [&](const WorkerReport& seen) { pages.show(seen); });
  log::info("served {} leases, {} views, {:.1f} KB{}", report.leases, report.views,
            static_cast<double>(report.bytes) / 1e3,
            flags.store.empty() ? "" : "; " + std::to_string(report.stored_views) + " views were in the store");
}

}  // namespace

void add_teach(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("teach", "one teacher worker: serve leases until told to stop");
  verb->footer(
      "Examples:\n"
      "  conclave teach --connect tcp://127.0.0.1:5555 --name person --weights runs/person/weights/best.safetensors\n"
      "  conclave teach --connect tcp://trainer:5555 --name car --weights car.safetensors --root /mnt/images\n"
      "  conclave teach --connect tcp://trainer:5555 --name person --weights person.safetensors --name car --weights "
      "car.safetensors\n"
      "  conclave teach --connect tcp://trainer:5555 --name car --weights car.safetensors --key keys/worker1.key "
      "--trainer-key keys/trainer.pub\n"
      "  conclave teach --connect tcp://trainer:5555 --name car --weights car.safetensors --store targets\n"
      "  conclave teach --connect tcp://trainer:5555 --teacher car.yaml   # docs/bring_your_own_teacher.md\n\n"
      "A worker needs no configuration: the trainer tells it how views are drawn, and where its other ranks are. "
      "Start\n"
      "as many per teacher as you like, before or after the trainer, on any host that sees the image files; with\n"
      "service.images: inline it needs none. SIGTERM hands its leases back.");
  auto flags = std::make_shared<TeachFlags>();
  WorkerOptions* options = &flags->options;
  verb->add_option("--connect", options->connect, "the trainer's address (of rank 0), as distill prints it")
      ->required();
  verb->add_option("--name", flags->names, "the teacher's name in the trainer's configuration; several share a worker")
      ->allow_extra_args(false);
  verb->add_option("--weights", flags->weights, "its weights, a safetensors file of conclave train")
      ->allow_extra_args(false);
  verb->add_option(
          "--teacher", flags->files,
          "instead of both, a YAML file with name, weights, classes and format: for TorchScript and ONNX files")
      ->allow_extra_args(false);
  verb->add_option("--root", options->root, "prefix for relative image paths on this host");
  verb->add_option("--capacity", options->capacity, "leases held at once, of all ranks; at least one of each")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  verb->add_option("--memory", flags->memory_mb,
                   "MiB of leases held at once; their images count with service.images: inline")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  verb->add_option("--threads", options->engine.threads, "intra-op threads; must equal the trainer's setting")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  verb->add_flag("--bf16", options->engine.bf16, "compute in bfloat16; must equal the trainer's setting");
  verb->add_flag("--channels-last", options->engine.channels_last, "memory format; must equal the trainer's setting");
  verb->add_option("--device", options->engine.device, "cpu, cuda or cuda:N")->capture_default_str();
  verb->add_option("--key", options->keys.secret, "this worker's .key file, where the trainer asks for keys");
  verb->add_option("--trainer-key", options->keys.trainer, "the trainer's .pub file; goes with --key");
  verb->add_option("--store", flags->store,
                   "a folder of targets: what is there is not computed, what is computed is kept");
  verb->add_option("--status", flags->status,
                   "HOST:PORT to show its state at: /metrics for Prometheus, /status as JSON");
  verb->add_option("--connect-timeout", options->connect_timeout,
                   "seconds without a word from the trainer before giving up")
      ->capture_default_str();
  verb->callback([flags, &action] { action = [flags] { teach(*flags); }; });
}

}  // namespace conclave
