#include "teachers/socket_events.h"

#include <atomic>
#include <cstring>

#include "teachers/transport.h"

namespace conclave {

zmq::socket_t monitor_of(zmq::context_t& context, zmq::socket_t& socket, int events, int waiting) {
  static std::atomic<std::uint64_t> count{0};
  const std::string address = "inproc://conclave-monitor-" + std::to_string(count++);
  zmq::socket_t monitor(context, zmq::socket_type::pair);
  monitor.set(zmq::sockopt::rcvhwm, waiting);
  monitor.set(zmq::sockopt::linger, 0);
  if (zmq_socket_monitor(socket.handle(), address.c_str(), events) != 0) throw zmq::error_t();
  monitor.connect(address);
  return monitor;
}

std::optional<SocketEvent> next_event(zmq::socket_t& monitor) {
  zmq::message_t first, address;
  if (!uninterrupted([&] { return monitor.recv(first, zmq::recv_flags::dontwait); })) return std::nullopt;
  if (first.more()) (void)uninterrupted([&] { return monitor.recv(address); });
  SocketEvent event;
  if (first.size() < sizeof event.type + sizeof event.value) return event;
  std::memcpy(&event.type, first.data(), sizeof event.type);
  std::memcpy(&event.value, first.data<char>() + sizeof event.type, sizeof event.value);
  return event;
}

std::string protocol_error_text(std::int32_t value) {
  switch (value) {
    case ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
      return "one side uses keys, the other does not";
    case ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
      return "its handshake was made for another trainer's key";
    default:
      return "its handshake breaks the protocol";
  }
}

}  // namespace conclave
