#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "teachers/engine_options.h"
#include "teachers/key_options.h"
#include "teachers/target_source.h"

namespace conclave {

struct RemoteOptions {
  std::string bind = "tcp://127.0.0.1:*";  // tcp://host:port (* picks one), ipc://path, inproc://name
  bool inline_images = false;              // leases carry the images' bytes: workers need not see the files
  int lease_views = 4;                     // consecutive views in one lease
  double lease_seconds = 60;               // a lease not answered by then goes to another worker
  double heartbeat_seconds = 1;            // both ways; five missed: the peer is taken for dead
  // While a teacher is waited for, counted from its last answer: without a worker for so long, or with workers for two
  // lease_seconds more, is Exit::kStalled.
  double stall_timeout = 600;
  double stall_notice = 60;  // while waiting, say so this often
  int lease_mb = 16;         // MiB of one lease with its images, 2 to 64; larger ones are an error
  TrainerKeys keys;
  int max_workers = 256;  // at once, of all teachers; further ones are refused
};

// A ROUTER socket on its own thread that leases views to workers (PROTOCOL.md) and joins their answers in order.
class RemoteSource : public TargetSource {
 public:
  // Binds at once. Throws Error (where = the address) when it can't.
  static std::unique_ptr<RemoteSource> open(const RemoteOptions& options, std::vector<ExpectedTeacher> teachers,
                                            const ViewOptions& views, const SparseOptions& sparse);

  // The address that workers connect to, with the port that was picked.
  virtual const std::string& address() const = 0;
  // The command that starts a worker of this teacher (a position in the run's order) that will be taken.
  virtual std::string start_hint(int teacher) const = 0;

  // Tells workers, those to come included, the addresses of all ranks' sources in rank order, this one's among them.
  // Rank 0 alone has to. A host of 0.0.0.0 stands for the one at which a worker reached this source. Thread-safe.
  virtual void announce(std::vector<std::string> ranks) = 0;
};

}  // namespace conclave
