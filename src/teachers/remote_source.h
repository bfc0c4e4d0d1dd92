#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "teachers/engine_options.h"
#include "teachers/target_source.h"

namespace conclave {

struct RemoteOptions {
  std::string bind = "tcp://127.0.0.1:*";  // tcp://host:port (* picks one), ipc://path, inproc://name
  int lease_views = 4;                     // consecutive views in one lease
  double lease_seconds = 60;               // a lease not answered by then goes to another worker
  double heartbeat_seconds = 1;            // both ways; five missed: the peer is taken for dead
  double stall_timeout = 600;  // a teacher without a worker for so long, while it is waited for: Exit::kStalled
  double stall_notice = 60;    // while waiting, say so this often
  std::size_t max_message = 64u << 20;  // bytes; larger frames end the connection
};

// A ROUTER socket on its own thread that leases views to workers (PROTOCOL.md) and joins their answers in order.
class RemoteSource : public TargetSource {
 public:
  // Binds at once. Throws Error (where = the address) when it can't.
  static std::unique_ptr<RemoteSource> open(const RemoteOptions& options, std::vector<ExpectedTeacher> teachers,
                                            const ViewOptions& views, const SparseOptions& sparse);

  // The address that workers connect to, with the port that was picked.
  virtual const std::string& address() const = 0;
};

}  // namespace conclave
