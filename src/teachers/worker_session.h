#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/clock.h"
#include "teachers/frame.h"

namespace conclave {

// What one rank may keep a worker's memory busy with.
struct LeaseShare {
  std::uint64_t leases = 1;
  std::uint64_t bytes = 0;  // of lease frames; at least one lease of the longest kind is always granted
};

// A lease taken to be computed, with all that its answer depends on.
struct TakenLease {
  std::size_t rank = 0;
  std::shared_ptr<const Welcome> welcome;
  Lease lease;
};

// Its answer: a result or a failure, encoded.
struct LeaseAnswer {
  std::size_t rank = 0;
  std::uint64_t session = 0;
  std::string frame;
  std::size_t lease_bytes = 0;
  std::uint64_t views = 0, bytes = 0;  // of the records; 0 for a failure
};

// A worker's side of the protocol (PROTOCOL.md) towards one rank: joining -> serving -> (joining | ended). No sockets,
// threads or clock of its own. Not thread-safe.
class WorkerSession {
 public:
  // `where` names the rank in messages.
  WorkerSession(const Hello& hello, std::string where, const LeaseShare& share, TimePoint now);

  // A frame of the rank. Throws Error (where = the rank) for a refusal and for another protocol version.
  void receive(const Frame& frame, std::size_t bytes, TimePoint now);
  // Hellos and heartbeats when they are due; notices silence.
  void tick(TimePoint now);
  void share(const LeaseShare& share);
  // No lease is taken from now on.
  void stop();
  void say_goodbye();

  bool serving() const { return state_ == State::kServing; }
  bool ended() const { return state_ == State::kEnded; }  // the rank said goodbye
  // The connection is taken for dead since the last call: it should be made anew.
  bool reconnect();
  double heartbeat() const { return heartbeat_; }                   // seconds; the rank's once it has welcomed us
  TimePoint last_word() const { return last_word_; }                // of the rank; at first when the session began
  const std::vector<std::string>& ranks() const { return ranks_; }  // as the rank last said
  const std::shared_ptr<const Welcome>& welcome() const { return welcome_; }

  // --- leases that wait, oldest first
  const Lease* next() const { return queue_.empty() ? nullptr : &queue_.front(); }
  Lease take();                     // REQUIRES: next()
  bool answer(LeaseAnswer answer);  // false: of an earlier session, dropped

  // --- frames to be sent, in this order
  const std::string* outgoing() const { return outbox_.empty() ? nullptr : &outbox_.front().frame; }
  void sent();  // the first one was

 private:
  struct Outgoing {
    std::string frame;
    std::size_t lease_bytes = 0;  // an answer: of its lease, which is granted again when the answer is sent
  };
  enum class State { kJoining, kServing, kEnded };

  bool takes(const Lease& lease, std::size_t bytes);
  void join();
  void on(const Welcome& welcome, TimePoint now);
  void grant();

  std::string where_;
  std::string hello_;  // encoded
  int teachers_ = 0;   // in it
  LeaseShare share_;
  State state_ = State::kJoining;
  std::shared_ptr<const Welcome> welcome_;
  std::set<std::uint64_t> sessions_;  // that have begun; none begins twice
  std::deque<Lease> queue_;
  std::deque<Outgoing> outbox_;
  // Numbers of this session's leases that came: all up to received_, and those behind a gap.
  std::uint64_t received_ = 0;
  std::set<std::uint64_t> ahead_;
  std::uint64_t received_bytes_ = 0;
  std::uint64_t consumed_leases_ = 0, consumed_bytes_ = 0;  // answered, and the answer sent
  std::uint64_t granted_leases_ = 0, granted_bytes_ = 0;    // as last told
  std::vector<std::string> ranks_;
  double heartbeat_ = 1;
  TimePoint heard_, last_word_;  // in this session; of the rank at all
  TimePoint complete_;           // when no lease sent to us was missing
  TimePoint noticed_;            // when it was last said that nobody answers
  TimePoint beat_{};             // when the last hello or heartbeat was made
  bool stopping_ = false, reconnect_ = false;
};

}  // namespace conclave
