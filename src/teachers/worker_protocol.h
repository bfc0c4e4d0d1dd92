#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "teachers/worker_session.h"

namespace conclave {

struct WorkerLimits {
  int leases = 2;                  // held at once, of all ranks; at least one of each
  std::size_t bytes = 256u << 20;  // of their frames; at least one of the longest kind of each rank
  double connect_timeout = 60;     // seconds without a word from rank 0 before giving up
};

// A worker's side of the protocol (PROTOCOL.md) towards all ranks: one session with each, which rank 0 names, and one
// queue of their leases in which each rank gets its turn. No sockets, threads or clock of its own: the same calls give
// the same answers. Not thread-safe.
class WorkerProtocol {
 public:
  WorkerProtocol(const Hello& hello, const WorkerLimits& limits, const std::string& address, TimePoint now);

  // --- connections: the caller keeps one to each rank
  std::size_t ranks() const { return ranks_.size(); }  // grows and shrinks in receive()
  const std::string& address(std::size_t rank) const { return ranks_[rank].address; }
  bool reconnect(std::size_t rank);  // should this connection be made anew? True once
  bool serving(std::size_t rank) const { return ranks_[rank].session.serving(); }
  void trouble(const std::string& why) { trouble_ = why; }  // of the connection to rank 0, where it is known

  // --- what happens
  // A message of one part came. Ignores what is no frame. Throws Error (where = the rank's address) when the worker is
  // refused.
  void receive(std::size_t rank, std::string_view bytes, TimePoint now);
  // To be called often. Throws Error when rank 0 is silent for connect_timeout.
  void tick(TimePoint now);
  // The worker was asked to leave: what was taken is answered, the rest handed back.
  void stop();

  // --- leases
  // Those to be computed next, of one teacher and one size of views: from the rank served least, one more from each
  // other rank while they have at most `views` views together. Empty: none waits. Every one is to be answered or
  // dropped.
  std::vector<TakenLease> next(std::size_t views);
  void answer(LeaseAnswer answer);
  void drop(std::size_t leases);  // taken, and given up

  // --- frames to be sent to a rank, in this order
  const std::string* outgoing(std::size_t rank) const { return ranks_[rank].session.outgoing(); }
  void sent(std::size_t rank);  // the first one was

  // Rank 0 said goodbye, or stop() is through: when the last frames are sent, the worker may go.
  bool leaving() const { return leaving_; }
  double heartbeat() const { return ranks_.front().session.heartbeat(); }  // seconds
  // Of results delivered.
  std::uint64_t leases() const { return leases_; }
  std::uint64_t views() const { return views_; }
  std::uint64_t bytes() const { return bytes_; }  // of records

 private:
  struct Rank {
    std::string address;
    WorkerSession session;
    std::uint64_t served = 0;  // views; a rank that had nothing to do does not save up
    bool reconnect = false;
  };

  LeaseShare share() const;
  void follow(std::vector<std::string> addresses, TimePoint now);
  void leave();

  const Hello hello_;
  const WorkerLimits limits_;
  std::vector<Rank> ranks_;
  std::uint64_t session_ = 0;  // of rank 0, when ranks that had ended were last tried again
  std::uint64_t turn_ = 0;     // `served` of the rank that was chosen last
  std::size_t taken_ = 0;      // leases neither answered nor dropped
  std::uint64_t views_ = 0, leases_ = 0, bytes_ = 0;
  std::string trouble_;
  bool stopping_ = false, leaving_ = false;
};

}  // namespace conclave
