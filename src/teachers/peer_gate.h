#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <zmq.hpp>

#include "teachers/key_options.h"

namespace conclave {

struct GateOptions {
  TrainerKeys keys;
  double handshake_seconds = 5;  // a connection that has not shaken hands by then ends
  int max_waiting = 256;         // connections that have not yet become a worker; the oldest beyond them end
};

// Guards a trainer's socket against whoever reaches its port: keys (where given), a time for the handshake, a bound on
// the connections that are not, or not yet, a worker's, and a bounded log of who was refused and why. What such a
// connection can cost is its descriptor and at most one message of ZMQ_MAXMSGSIZE.
//
//   PeerGate(context, socket, …)  socket.bind  (admit)*  socket.close  ~PeerGate
//
// REQUIRES: `socket` has a ZMQ_MAXMSGSIZE (ZeroMQ allocates what a stranger announces) and is the context's only one,
// the context has one I/O thread, and the gate outlives the socket.
class PeerGate {
 public:
  // Sets the socket's options and starts two threads. Throws Error when keys can't be read or others reach `address`
  // without any (check_trainer_keys).
  PeerGate(zmq::context_t& context, zmq::socket_t& socket, const std::string& address, const GateOptions& options);
  ~PeerGate();

  // The peer that sent this message is a worker now: its connection no longer counts as waiting. Thread-safe.
  void admit(const zmq::message_t& from);

  // So far; see RefusalLog. Thread-safe.
  std::uint64_t refused() const;
  std::set<std::string> refusals() const;

 private:
  class Watch;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace conclave
