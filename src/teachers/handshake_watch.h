#pragma once

#include <optional>
#include <string>
#include <zmq.hpp>

#include "teachers/key_options.h"

namespace conclave {

// Why a worker does not get through to its trainer. Made between a socket and its connect; must outlive the socket, and
// next() must be called about every second. Used from the socket's thread.
class HandshakeWatch {
 public:
  HandshakeWatch(zmq::context_t& context, zmq::socket_t& socket, const WorkerKeys& keys);

  // The reason of the newest failed handshake since the last call. ZeroMQ gives some up for good: connect a new socket.
  std::optional<std::string> next();

 private:
  const WorkerKeys keys_;
  zmq::socket_t monitor_;
};

}  // namespace conclave
