#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <zmq.hpp>

namespace conclave {

// One event of a ZeroMQ socket monitor. `value` is a descriptor, an errno, a ZAP status or a protocol error: see
// zmq_socket_monitor(3).
struct SocketEvent {
  std::uint16_t type = 0;
  std::int32_t value = 0;
};

// Starts to monitor `socket` for these events (ZMQ_EVENT_… or-ed) and returns where they come out. `waiting`: how many
// may wait there before the I/O thread, and with it every connection, waits too; 0: any number.
// The result must outlive `socket` and be read all the time: ZeroMQ blocks on an event that nobody can take.
zmq::socket_t monitor_of(zmq::context_t& context, zmq::socket_t& socket, int events, int waiting);

// The next event, or nothing. Does not block.
std::optional<SocketEvent> next_event(zmq::socket_t& monitor);

// What a ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL says about the other side: "has no key or speaks …".
std::string protocol_error_text(std::int32_t value);

}  // namespace conclave
