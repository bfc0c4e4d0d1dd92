#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace conclave {

// Runs `command` (this program, a verb, its arguments) as so many ranks of one training on this host, and waits for
// them. Rank 0 speaks here, the others in folder/rank-N.log. Signals that stop this process stop the ranks, and they
// stop when it dies. When a rank was killed or failed, all are started again with --resume, up to `max_restarts` times;
// not after a wrong configuration, a loss that is not finite, a stall or a signal. Throws Error with the exit code of
// the rank that ended first for a reason of its own.
void run_ranks(const std::vector<std::string>& command, int ranks, int max_restarts,
               const std::filesystem::path& folder);

}  // namespace conclave
