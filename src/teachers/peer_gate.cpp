#include "teachers/peer_gate.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "core/error.h"
#include "core/log.h"
#include "teachers/curve.h"
#include "teachers/refusal_log.h"
#include "teachers/socket_events.h"
#include "teachers/transport.h"
#include "teachers/zap.h"

namespace conclave {
namespace {

constexpr int kBacklog = 1024;
constexpr int kPingMilliseconds = 10'000;  // ZeroMQ's own heartbeat, answered by the peer's I/O thread
constexpr int kDeafMilliseconds = 30'000;  // a connection that answers none ends: a peer that never reads
constexpr int kWaitingEvents = 4096;
constexpr int kEventsPerTurn = 256;  // then the oldest waiting connections are looked at
constexpr rlim_t kDescriptors = 65'536;

constexpr int kEvents = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_ACCEPT_FAILED | ZMQ_EVENT_DISCONNECTED |
                        ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                        ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

// Where a connection comes from. Empty: unknown, or not over a network.
struct Remote {
  sockaddr_storage address{};
  socklen_t size = 0;

  bool operator==(const Remote& other) const {
    return size == other.size && std::memcmp(&address, &other.address, size) == 0;
  }
  bool network() const { return size > 0 && (address.ss_family == AF_INET || address.ss_family == AF_INET6); }

  // Without the port, which changes with every try.
  std::string text() const {
    char out[INET6_ADDRSTRLEN] = "a local process";
    if (address.ss_family == AF_INET) {
      ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, out, sizeof out);
    } else if (address.ss_family == AF_INET6) {
      ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, out, sizeof out);
    } else if (size == 0) {
      return "someone who was gone before the address was read";
    }
    return out;
  }
};

Remote remote_of(int fd) {
  Remote remote;
  remote.size = sizeof remote.address;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&remote.address), &remote.size) != 0) return {};
  return remote;
}

// Ends the connection that `fd` is, if it still leads to `remote`. The descriptor belongs to ZeroMQ, which may close it
// at any moment, and the number may then be another's: so we look at a duplicate, which can't change under our hands.
// ZeroMQ sees the end of the stream and cleans up.
void end_connection(int fd, const Remote& remote) {
  const int mine = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (mine < 0) return;
  if (remote_of(mine) == remote) ::shutdown(mine, SHUT_RDWR);
  ::close(mine);
}

// A burst of connections must not take the descriptors that training needs for its files.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = limit.rlim_max == RLIM_INFINITY ? kDescriptors : std::min(kDescriptors, limit.rlim_max);
  if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

// Follows the connections of one socket through its monitor, on a thread of its own.
class PeerGate::Watch {
 public:
  Watch(zmq::context_t& context, zmq::socket_t& socket, const GateOptions& options, RefusalLog& refusals)
      : handshake_seconds_(options.handshake_seconds),
        max_waiting_(static_cast<std::size_t>(options.max_waiting)),
        keys_(!options.keys.secret.empty()),
        refusals_(refusals),
        monitor_(monitor_of(context, socket, kEvents, kWaitingEvents)) {
    thread_ = std::thread([this] { follow(); });
  }
  ~Watch() {
    closing_ = true;
    waker_.wake();
    thread_.join();
  }

  void admit(int fd) {
    {
      std::lock_guard lock(mutex_);
      admitted_.insert(fd);
    }
    waker_.wake();
  }

 private:
  struct Connection {
    std::uint64_t number = 0;  // in order of arrival
    Remote remote;
    bool settled = false;  // a worker, or ended by us: its end is no news
  };

  void follow() {
    while (!closing_) {
      try {
        wait_for_input(monitor_, waker_, std::chrono::milliseconds(1000));
        turn();
      } catch (const std::exception& error) {
        log::error("watching connections: {}", error.what());
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
      }
    }
  }

  // A connection's acceptance is among the events before its worker can be admitted, perhaps behind many others.
  void turn() {
    for (bool drained = false; !drained && !closing_;) {
      {
        std::lock_guard lock(mutex_);
        expected_.merge(admitted_);
        admitted_.clear();
      }
      for (auto fd = expected_.begin(); fd != expected_.end();) {
        fd = mark(*fd) ? expected_.erase(fd) : std::next(fd);
      }
      for (int i = 0; i < kEventsPerTurn && !drained; ++i) {
        const std::optional<SocketEvent> event = next_event(monitor_);
        drained = !event;
        if (event) on(*event);
      }
      if (drained) expected_.clear();  // admitted after its end
      end_oldest();
    }
  }

  bool mark(int fd) {
    const auto found = connections_.find(fd);
    if (found == connections_.end()) return false;
    found->second.settled = true;
    waiting_.erase(found->second.number);
    return true;
  }

  void on(const SocketEvent& event) {
    switch (event.type) {
      case ZMQ_EVENT_ACCEPTED: {
        forget(event.value);
        Connection connection{++count_, remote_of(event.value), false};
        waiting_[connection.number] = event.value;
        connections_[event.value] = connection;
        if (expected_.erase(event.value) > 0) mark(event.value);
        break;
      }
      case ZMQ_EVENT_ACCEPT_FAILED:
        refusals_.add("a connection", std::string("it could not be accepted: ") + std::strerror(event.value));
        break;
      case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        ++denied_;  // the ZAP handler has told why
        break;
      case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        reason_ = protocol_error_text(event.value);
        break;
      case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        reason_ =
            event.value == EPIPE || event.value == ECONNRESET
                ? "it left before the handshake was done" + std::string(keys_ ? ", as a peer without a key does" : "")
                : fmt::format("no handshake within {} s", handshake_seconds_);
        break;
      case ZMQ_EVENT_DISCONNECTED:
        ended(event.value);
        break;
      default:
        break;
    }
  }

  // The I/O thread reports a failed handshake right before the end of its connection.
  void ended(int fd) {
    const auto found = connections_.find(fd);
    if (found != connections_.end() && !found->second.settled) {
      if (reason_.empty() && denied_ > 0) {
        --denied_;
      } else {
        refusals_.add(found->second.remote.text(),
                      reason_.empty() ? "it sent what no worker sends, or left before it was one" : reason_);
      }
    }
    reason_.clear();
    forget(fd);
  }

  void forget(int fd) {
    const auto found = connections_.find(fd);
    if (found == connections_.end()) return;
    waiting_.erase(found->second.number);
    connections_.erase(found);
  }

  void end_oldest() {
    for (; waiting_.size() > max_waiting_; waiting_.erase(waiting_.begin())) {
      const int fd = waiting_.begin()->second;
      Connection& connection = connections_.at(fd);
      if (!connection.remote.network()) continue;
      refusals_.add(connection.remote.text(), "more than " + std::to_string(max_waiting_) +
                                                  " connections wait to become a worker; the oldest end");
      connection.settled = true;
      end_connection(fd, connection.remote);
    }
  }

  const double handshake_seconds_;
  const std::size_t max_waiting_;
  const bool keys_;
  RefusalLog& refusals_;
  Waker waker_;
  std::atomic<bool> closing_{false};
  std::mutex mutex_;
  std::set<int> admitted_;  // guarded by mutex_

  // The thread's alone, once it runs.
  zmq::socket_t monitor_;
  std::map<int, Connection> connections_;  // by descriptor
  std::map<std::uint64_t, int> waiting_;   // not admitted, oldest first
  std::set<int> expected_;                 // admitted, but their acceptance was not read yet
  std::string reason_;                     // of the connection that ends next
  int denied_ = 0;                         // connections whose key was refused, and that have not yet ended
  std::uint64_t count_ = 0;
  std::thread thread_;
};

struct PeerGate::State {
  explicit State(const std::string& address) : refusals(address) {}

  RefusalLog refusals;
  std::optional<ZapHandler> zap;
  std::optional<Watch> watch;
};

PeerGate::PeerGate(zmq::context_t& context, zmq::socket_t& socket, const std::string& address,
                   const GateOptions& options)
    : state_(std::make_unique<State>(address)) {
  check_trainer_keys(address, options.keys);
  if (socket.get(zmq::sockopt::maxmsgsize) < 0) throw Error("a guarded socket needs a largest message size", address);
  raise_descriptor_limit();
  socket.set(zmq::sockopt::handshake_ivl, static_cast<int>(options.handshake_seconds * 1000));
  socket.set(zmq::sockopt::backlog, kBacklog);
  socket.set(zmq::sockopt::heartbeat_ivl, kPingMilliseconds);
  socket.set(zmq::sockopt::heartbeat_timeout, kDeafMilliseconds);
  if (!options.keys.secret.empty()) {
    const KeyPair own = load_key_pair(options.keys.secret);
    AllowList allowed(options.keys.allow);
    log::info("{}: only workers with an allowed key get in; {} are", address, allowed.size());
    allowed.add(own.public_key, "the trainer's own");  // for the local workers that it starts
    state_->zap.emplace(context, std::move(allowed), state_->refusals);
    secure_server(socket, own);
  } else if (reaches_other_hosts(address)) {
    log::warn("{}: insecure: everybody who reaches this port can answer as a teacher and read what is sent", address);
  }
  state_->watch.emplace(context, socket, options, state_->refusals);
}

PeerGate::~PeerGate() = default;

void PeerGate::admit(const zmq::message_t& from) {
  const int fd = zmq_msg_get(from.handle(), ZMQ_SRCFD);
  if (fd >= 0) state_->watch->admit(fd);
}

std::set<std::string> PeerGate::refusals() const {
  return state_->refusals.entries();
}

std::uint64_t PeerGate::refused() const {
  return state_->refusals.count();
}

}  // namespace conclave
