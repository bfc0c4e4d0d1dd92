#include "teachers/worker.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "core/clock.h"
#include "core/error.h"
#include "core/random.h"
#include "teachers/compute_thread.h"
#include "teachers/engine.h"
#include "teachers/frame.h"
#include "teachers/transport.h"
#include "teachers/worker_connection.h"
#include "teachers/worker_protocol.h"

namespace conclave {
namespace {

constexpr double kFarewellSeconds = 2;  // to send the last answers and goodbyes
constexpr std::size_t kCallViews = 8;   // of several leases, joined into one call of the engine

std::string host_and_process() {
  char host[128] = {};
  if (::gethostname(host, sizeof host - 1) != 0) return "pid " + std::to_string(::getpid());
  return std::string(host) + ":" + std::to_string(::getpid());
}

std::vector<std::unique_ptr<Engine>> load(const WorkerOptions& options) {
  std::vector<std::unique_ptr<Engine>> engines;
  for (const WorkerTeacher& teacher : options.teachers)
    engines.push_back(std::make_unique<Engine>(teacher.file, options.engine));
  return engines;
}

std::unique_ptr<TargetCache> open_cache(const WorkerOptions& options,
                                        const std::vector<std::unique_ptr<Engine>>& engines) {
  if (!options.cache) return nullptr;
  std::vector<ExpectedTeacher> teachers;
  for (std::size_t i = 0; i < engines.size(); ++i) {
    const Engine& engine = *engines[i];
    teachers.push_back({options.teachers[i].name, engine.hash(), engine.classes(), engine.options()});
  }
  return options.cache(teachers);
}

Hello introduce(const WorkerOptions& options, const std::vector<std::unique_ptr<Engine>>& engines) {
  Hello hello{random_number(), host_and_process(), {}};
  for (std::size_t i = 0; i < engines.size(); ++i) {
    hello.teachers.push_back(
        {options.teachers[i].name, engines[i]->hash(), engines[i]->classes(), engines[i]->options()});
  }
  return hello;
}

// Sockets and the compute thread around a WorkerProtocol.
class WorkerLoop {
 public:
  WorkerLoop(const WorkerOptions& options, std::vector<std::unique_ptr<Engine>> engines,
             std::unique_ptr<TargetCache> cache)
      : options_(options),
        // Only on CPU an answer is the same whatever else is in the call.
        call_views_(options.engine.device == "cpu" ? kCallViews : 0),
        protocol_(introduce(options, engines),
                  {std::clamp(options.capacity, 1, frame_limits::kCapacity), options.memory, options.connect_timeout},
                  options.connect, clock_.now()),
        compute_(std::move(engines), std::move(cache), options.root, waker_) {}

  WorkerReport run(const std::function<bool()>& stop, const std::function<void(const WorkerReport&)>& seen) {
    bool stopping = false;
    std::optional<TimePoint> leaving;
    while (!leaving || (unsent() && (clock_.now() - *leaving).count() < kFarewellSeconds)) {
      if (!stopping && stop()) {
        stopping = true;
        protocol_.stop();
        protocol_.drop(compute_.drop_waiting());
      }
      protocol_.tick(clock_.now());
      keep_connections();
      send();
      if (!protocol_.leaving()) wait_for_input(sockets(), waker_, turn());
      receive();
      compute();
      send();
      if (seen) seen(report());
      if (protocol_.leaving() && !leaving) leaving = clock_.now();
    }
    return report();
  }

 private:
  WorkerReport report() const {
    return {name_, protocol_.leases(), protocol_.views(), protocol_.bytes(), compute_.found()};
  }

  std::chrono::milliseconds turn() const {
    return std::chrono::milliseconds(std::clamp(static_cast<int>(protocol_.heartbeat() * 500), 5, 100));
  }

  void keep_connections() {
    connections_.resize(protocol_.ranks());
    for (std::size_t rank = 0; rank < connections_.size(); ++rank) {
      std::unique_ptr<WorkerConnection>& connection = connections_[rank];
      const bool anew = protocol_.reconnect(rank);
      if (!connection || connection->address() != protocol_.address(rank)) {
        connection = std::make_unique<WorkerConnection>(protocol_.address(rank), options_.keys);
      } else if (anew) {
        connection->reconnect();
      }
      connection->tend(protocol_.serving(rank), clock_.now());
    }
    protocol_.trouble(connections_.front()->trouble());
  }

  std::vector<zmq::socket_t*> sockets() const {
    std::vector<zmq::socket_t*> all;
    for (const auto& connection : connections_) all.push_back(&connection->socket());
    return all;
  }

  void receive() {
    zmq::message_t message;
    for (std::size_t rank = 0; rank < std::min(connections_.size(), protocol_.ranks()); ++rank) {
      while (rank < protocol_.ranks() && connections_[rank]->receive(message))
        protocol_.receive(rank, message.to_string_view(), clock_.now());
    }
  }

  void compute() {
    for (LeaseAnswer& answer : compute_.collect()) protocol_.answer(std::move(answer));
    if (!compute_.room()) return;
    std::vector<TakenLease> call = protocol_.next(call_views_);
    if (!call.empty()) compute_.add(std::move(call));
  }

  void send() {
    for (std::size_t rank = 0; rank < std::min(connections_.size(), protocol_.ranks()); ++rank) {
      for (const std::string* frame = protocol_.outgoing(rank); frame; frame = protocol_.outgoing(rank)) {
        if (!connections_[rank]->send(*frame)) break;
        protocol_.sent(rank);
      }
    }
  }

  bool unsent() const {
    for (std::size_t rank = 0; rank < protocol_.ranks(); ++rank) {
      if (protocol_.outgoing(rank)) return true;
    }
    return false;
  }

  const WorkerOptions& options_;
  const std::string name_ = host_and_process();
  const std::size_t call_views_;
  const SystemClock clock_;
  WorkerProtocol protocol_;
  Waker waker_;
  ComputeThread compute_;
  std::vector<std::unique_ptr<WorkerConnection>> connections_;  // per rank
};

}  // namespace

WorkerReport run_worker(const WorkerOptions& options, const std::function<bool()>& stop,
                        const std::function<void(const WorkerReport&)>& seen) {
  if (options.teachers.empty()) throw Error("a worker needs at least one teacher", options.connect);
  std::vector<std::unique_ptr<Engine>> engines = load(options);
  std::unique_ptr<TargetCache> cache = open_cache(options, engines);
  return WorkerLoop(options, std::move(engines), std::move(cache)).run(stop, seen);
}

}  // namespace conclave
