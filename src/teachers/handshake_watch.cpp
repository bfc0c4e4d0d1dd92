#include "teachers/handshake_watch.h"

#include "teachers/socket_events.h"

namespace conclave {
namespace {

constexpr int kAuthRefused = 400;  // of ZAP, RFC 27

std::string reason_of(const SocketEvent& event, const WorkerKeys& keys) {
  const bool secured = !keys.secret.empty();
  if (event.type == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
    if (event.value != kAuthRefused) return "the trainer could not check the key " + keys.secret;
    return "the trainer does not allow the key " + keys.secret +
           ": add the .pub file beside it to the trainer's service.keys.allow";
  }
  if (event.type == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL && event.value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH) {
    return secured ? "the trainer uses no keys: leave out --key and --trainer-key"
                   : "the trainer asks for a key: give --key and --trainer-key (docs/security.md)";
  }
  if (secured) {
    return "the trainer ended the handshake: is " + keys.trainer +
           " its public key, does it use keys (service.keys), and is this its address?";
  }
  return "the trainer ended the handshake: does it ask for a key (--key and --trainer-key), and is this its address?";
}

}  // namespace

HandshakeWatch::HandshakeWatch(zmq::context_t& context, zmq::socket_t& socket, const WorkerKeys& keys)
    : keys_(keys),
      monitor_(monitor_of(
          context, socket,
          ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH,
          0)) {}

std::optional<std::string> HandshakeWatch::next() {
  std::optional<std::string> reason;
  while (const std::optional<SocketEvent> event = next_event(monitor_)) {
    if (event->type != ZMQ_EVENT_MONITOR_STOPPED) reason = reason_of(*event, keys_);
  }
  return reason;
}

}  // namespace conclave
