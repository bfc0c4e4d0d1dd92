#pragma once

#include <functional>
#include <optional>
#include <string>

namespace conclave {

// This process among the ranks of one training.
struct World {
  int rank = 0, size = 1;
  int local_rank = 0, local_size = 1;  // among the ranks of this host
  std::string host;                    // where the ranks meet: rank 0's host and a port there
  int port = 0;
  bool served = false;        // something else (torchrun's agent) keeps the store there; else rank 0 does
  int attempt = 0;            // how often torchrun or Slurm started the job again
  int listening_socket = -1;  // rank 0 takes this socket over instead of binding the port; -1: none
};

// The value of a variable, nothing where it is not set. An empty value counts as not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// From torchrun's variables (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT; LOCAL_RANK, LOCAL_WORLD_SIZE), else from those
// that srun sets (SLURM_PROCID, SLURM_STEP_NUM_TASKS, SLURM_LOCALID, SLURM_JOB_NODELIST, SLURM_JOB_ID; MASTER_ADDR and
// MASTER_PORT override where to meet), else a world of one: so also in a batch script that runs without srun. Throws
// Error (Exit::kUsage) for variables that are half set, no numbers or contradict each other.
World world_of(const Environment& environment);
World world_of_this_process();

// The first host of Slurm's compressed list: "gpu[07-09,12],big1" -> "gpu07". Throws Error for a list it can't read.
std::string first_host(const std::string& node_list);

}  // namespace conclave
