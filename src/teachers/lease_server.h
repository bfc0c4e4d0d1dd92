#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/error.h"
#include "teachers/frame.h"
#include "teachers/lease_table.h"

namespace conclave {

// The trainer's side of the protocol (PROTOCOL.md) without sockets, threads or a clock of its own: frames in, frames
// out. The same calls give the same answers. Not thread-safe.
//
// Calls: (handle | tick | lost | announce)* close (handle | lost)*, each followed by sending what outgoing() gives.
class LeaseServer {
 public:
  // `first_session`: random in a service, so that answers to an earlier trainer are told apart.
  LeaseServer(const LeaseOptions& options, std::vector<ExpectedTeacher> teachers, const ViewOptions& views,
              const SparseOptions& sparse, std::uint64_t first_session);

  // Bytes of the longest frame that a worker has reason to send.
  std::size_t longest_frame() const { return longest_frame_; }

  LeaseTable& table() { return table_; }
  const LeaseTable& table() const { return table_; }

  // A message of one part came from this connection.
  void handle(const std::string& peer, std::string_view bytes, TimePoint now);
  // Something came that is no frame at all.
  void garbage(const std::string& peer, const std::string& why);
  // To be called often: heartbeats, silent workers, overdue leases, new leases.
  void tick(TimePoint now);
  // The transport can't reach this peer any more, or its queue is full.
  void lost(const std::string& peer);
  // The addresses of all ranks, in rank order; workers are told at once.
  void announce(std::vector<std::string> ranks);
  // The work is done: goodbyes go out, and workers that come are sent away.
  void close();

  struct Outgoing {
    std::string peer, frame;
  };
  std::vector<Outgoing> outgoing();  // what is to be sent, in this order; each is given once

  // Set when the work can't go on: a lease that workers fail on.
  const std::optional<Error>& failure() const { return failure_; }

 private:
  void say(const std::string& peer, std::string frame) { outgoing_.push_back({peer, std::move(frame)}); }
  void beat(const std::string& peer);
  void on(const std::string& peer, const Hello& hello, TimePoint now);
  void on(const std::string& peer, const Result& result, TimePoint now);
  void on(const std::string& peer, const Failure& failure);
  void expire(TimePoint now);
  bool is_news(const std::string& what);

  const LeaseOptions options_;
  LeaseTable table_;
  Welcome welcome_;  // but for the session
  std::uint64_t next_session_;
  std::size_t longest_frame_;
  std::vector<std::string> ranks_;
  std::vector<Outgoing> outgoing_;
  std::optional<Error> failure_;
  TimePoint beat_{};
  bool beat_now_ = false, closing_ = false;
  std::set<std::string> warned_;  // peers whose garbage was logged
  std::set<std::string> told_;    // refusals and dismissals that were logged
};

// Bytes of the longest record (PROTOCOL.md) of a grid of so many cells.
std::size_t longest_record(int cells, int channels);

}  // namespace conclave
