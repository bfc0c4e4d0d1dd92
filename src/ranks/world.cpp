#include "ranks/world.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <vector>

#include "core/error.h"

namespace conclave {
namespace {

constexpr int kMostRanks = 1 << 16;
constexpr int kFirstPort = 20000, kPorts = 20000;  // of Slurm jobs that don't name one

std::optional<std::string> from_process(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value != nullptr && *value != '\0' ? std::optional<std::string>(value) : std::nullopt;
}

Error wrong(const std::string& name, const std::string& what, const std::string& hint) {
  return Error(what, "environment variable " + name, hint, Exit::kUsage);
}

long long number_in(const std::string& name, const std::string& text, long long least, long long most) {
  long long value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    throw wrong(name, "'" + text + "' is not a number from " + std::to_string(least) + " to " + std::to_string(most),
                "it is set by torchrun or srun; unset it to train in one process");
  }
  return value;
}

class Reader {
 public:
  explicit Reader(const Environment& environment) : environment_(environment) {}

  bool has(const std::string& name) const { return environment_(name).has_value(); }

  std::string text(const std::string& name, const std::string& hint) const {
    const auto value = environment_(name);
    if (!value) throw wrong(name, "is not set", hint);
    return *value;
  }

  int number(const std::string& name, int least, int most, const std::string& hint) const {
    return static_cast<int>(number_in(name, text(name, hint), least, most));
  }

  int number_or(const std::string& name, int least, int most, int otherwise) const {
    return has(name) ? number(name, least, most, {}) : otherwise;
  }

 private:
  const Environment& environment_;
};

void check_rank(const World& world, const std::string& rank, const std::string& size) {
  if (world.rank >= world.size) {
    throw wrong(rank,
                "rank " + std::to_string(world.rank) + " does not exist among " + std::to_string(world.size) + " (" +
                    size + ")",
                "ranks count from 0");
  }
}

World from_torchrun(const Reader& read) {
  const std::string hint =
      "torchrun sets RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT together; unset them all to train in "
      "one "
      "process";
  World world;
  world.size = read.number("WORLD_SIZE", 1, kMostRanks, hint);
  world.rank = read.number("RANK", 0, kMostRanks, hint);
  check_rank(world, "RANK", "WORLD_SIZE");
  world.local_rank = read.number_or("LOCAL_RANK", 0, kMostRanks, 0);
  world.local_size = read.number_or("LOCAL_WORLD_SIZE", 1, kMostRanks, 1);
  world.attempt = read.number_or("TORCHELASTIC_RESTART_COUNT", 0, 1 << 30, 0);
  if (world.size == 1) return world;
  world.host = read.text("MASTER_ADDR", hint);
  world.port = read.number("MASTER_PORT", 1, 65535, hint);
  world.served = read.has("TORCHELASTIC_USE_AGENT_STORE") && read.text("TORCHELASTIC_USE_AGENT_STORE", {}) == "True";
  if (world.rank == 0) world.listening_socket = read.number_or("CONCLAVE_STORE_SOCKET", 0, 1 << 20, -1);
  return world;
}

// "2(x3),1" -> 2: what the first host runs. Hosts that differ only share their cores less evenly.
int first_count(const std::string& tasks_per_node) {
  const std::string first = tasks_per_node.substr(0, tasks_per_node.find_first_of("(,"));
  return static_cast<int>(number_in("SLURM_TASKS_PER_NODE", first, 1, kMostRanks));
}

World from_slurm(const Reader& read, const Environment& environment) {
  const std::string hint = "start every rank with srun, or unset SLURM_PROCID to train in one process";
  World world;
  world.size = read.number("SLURM_STEP_NUM_TASKS", 1, kMostRanks, hint);
  world.rank = read.number("SLURM_PROCID", 0, kMostRanks, hint);
  check_rank(world, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS");
  world.attempt = read.number_or("SLURM_RESTART_COUNT", 0, 1 << 30, 0);
  if (world.size == 1) return world;
  world.local_rank = read.number("SLURM_LOCALID", 0, kMostRanks, hint);
  for (const char* name : {"SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE"}) {
    if (const auto tasks = environment(name)) {
      world.local_size = first_count(*tasks);
      break;
    }
  }
  const std::string nodes = read.has("SLURM_STEP_NODELIST") ? "SLURM_STEP_NODELIST" : "SLURM_JOB_NODELIST";
  world.host = read.has("MASTER_ADDR") ? read.text("MASTER_ADDR", {}) : first_host(read.text(nodes, hint));
  if (read.has("MASTER_PORT")) {
    world.port = read.number("MASTER_PORT", 1, 65535, {});
  } else {
    const long long job = number_in("SLURM_JOB_ID", read.text("SLURM_JOB_ID", hint), 0, 1LL << 40);
    const int step = read.number_or("SLURM_STEP_ID", 0, 1 << 30, 0);
    world.port = kFirstPort + static_cast<int>((job * 7 + step) % kPorts);
  }
  return world;
}

}  // namespace

World world_of(const Environment& environment) {
  const Environment set = [&](const std::string& name) {
    auto value = environment(name);
    return value && value->empty() ? std::nullopt : value;
  };
  const Reader read(set);
  if (read.has("RANK") || read.has("WORLD_SIZE")) return from_torchrun(read);
  // Only srun sets the step's number of tasks: a batch script itself is one process, whatever its --ntasks says.
  if (read.has("SLURM_STEP_NUM_TASKS")) return from_slurm(read, set);
  return {};
}

World world_of_this_process() {
  return world_of(from_process);
}

std::string first_host(const std::string& node_list) {
  const Error unreadable("can't read the list of hosts '" + node_list + "'", "SLURM_JOB_NODELIST",
                         "set MASTER_ADDR to the host of rank 0", Exit::kUsage);
  std::string host;
  for (std::size_t i = 0; i < node_list.size() && node_list[i] != ','; ++i) {
    if (node_list[i] == ']') throw unreadable;
    if (node_list[i] != '[') {
      host += node_list[i];
      continue;
    }
    const std::size_t close = node_list.find(']', i);
    const std::size_t end = node_list.find_first_of("-,]", i);
    if (close == std::string::npos || end == i + 1) throw unreadable;
    host += node_list.substr(i + 1, end - i - 1);
    i = close;
  }
  if (host.empty()) throw unreadable;
  return host;
}

}  // namespace conclave
