#include "cli/teacher_side.h"

#include <unistd.h>

#include <climits>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/log.h"
#include "store/store_source.h"
#include "teachers/curve.h"
#include "teachers/local_source.h"
#include "teachers/remote_source.h"

namespace conclave {
namespace {

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
      engines.push_back(std::make_unique<Engine>(teacher.file(), teacher.engine));
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

}  // namespace

void check_teachers(const RunOptions& options, const std::string& config) {
  if (!needs_teachers(options.fusion.method)) return;
  if (options.teachers.empty()) {
    throw Error("no teachers are given", config, "list them under `teachers:`; conclave distill --help shows one",
                Exit::kUsage);
  }
  if (options.service.source == "remote" && options.service.store.mode != StoreMode::kReplay) {
    check_trainer_keys(options.service.remote.bind, options.service.remote.keys);
  }
}

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
    if (options.views_per_image == 0 && asks_every_view(options.fusion)) {
      log::warn(
          "data.views_per_image is 0: views are drawn afresh in every epoch, so that what is stored serves only runs "
          "of "
          "the same seed, sets and augmentation");
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

}  // namespace conclave
