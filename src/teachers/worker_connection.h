#pragma once

#include <memory>
#include <optional>
#include <string>
#include <zmq.hpp>

#include "core/clock.h"
#include "teachers/handshake_watch.h"
#include "teachers/key_options.h"

namespace conclave {

// A worker's socket to one rank. One thread.
class WorkerConnection {
 public:
  // Connects, without waiting for the other side. Throws Error (where = the address).
  WorkerConnection(std::string address, const WorkerKeys& keys);

  void reconnect();
  // To be called often: while the rank does not serve us, learns why it does not let us in, and knocks again: its keys
  // may change, and ZeroMQ gives up.
  void tend(bool serving, TimePoint now);
  const std::string& trouble() const { return trouble_; }  // why we are not let in, where it is known

  bool send(const std::string& frame);    // false: not now
  bool receive(zmq::message_t& message);  // a message of one part; others are passed over. False: none is there
  zmq::socket_t& socket() { return *socket_; }
  const std::string& address() const { return address_; }

 private:
  std::string address_;
  WorkerKeys keys_;
  std::shared_ptr<zmq::context_t> context_;
  std::optional<HandshakeWatch> watch_;  // outlives socket_
  std::optional<zmq::socket_t> socket_;
  std::string trouble_;
  TimePoint knock_{};  // when to try a new connection, where a handshake failed
};

}  // namespace conclave
