#include "teachers/remote_source.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "core/clock.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/random.h"
#include "core/stop.h"
#include "models/spec.h"
#include "teachers/lease_server.h"
#include "teachers/peer_gate.h"
#include "teachers/transport.h"

namespace conclave {
namespace {

constexpr int kSendHighWater = 1000;   // frames per peer; credit keeps far below it
constexpr int kReceiveHighWater = 32;  // frames per peer, as long as a worker's longest: bounds what a peer can pile up
constexpr int kLingerMilliseconds = 500;  // for the goodbyes
constexpr double kFarewellSeconds = 1;    // for the workers' answers to it
constexpr int kFramesPerTurn = 256;       // then leases and heartbeats get their turn

LeaseOptions lease_options(const RemoteOptions& options, const ViewOptions& views) {
  LeaseOptions lease;
  lease.lease_views = options.lease_views;
  lease.lease_seconds = options.lease_seconds;
  lease.heartbeat_seconds = options.heartbeat_seconds;
  lease.grid_width = views.width / kStride;
  lease.grid_height = views.height / kStride;
  lease.inline_images = options.inline_images;
  lease.max_workers = options.max_workers;
  lease.max_lease = std::min(static_cast<std::size_t>(std::max(2, options.lease_mb)) << 20, frame_limits::kMessage);
  return lease;
}

class RouterSource final : public RemoteSource {
 public:
  RouterSource(const RemoteOptions& options, std::vector<ExpectedTeacher> teachers, const ViewOptions& views,
               const SparseOptions& sparse)
      : options_(options), server_(lease_options(options, views), std::move(teachers), views, sparse, random_number()) {
    if (options.lease_views < 1 || options.lease_views > frame_limits::kViews) {
      throw Error("a lease holds 1 to " + std::to_string(frame_limits::kViews) + " views", "lease_views");
    }
    bind();
    thread_ = std::thread([this] { serve(); });
    if (options.inline_images) reader_ = std::thread([this] { read_images(); });
  }

  ~RouterSource() override {
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
    }
    waker_.wake();
    changed_.notify_all();
    thread_.join();
    if (reader_.joinable()) reader_.join();
  }

  const std::string& address() const override { return address_; }

  void announce(std::vector<std::string> ranks) override {
    {
      std::lock_guard lock(mutex_);
      server_.announce(std::move(ranks));
    }
    waker_.wake();
  }

  void ask(const TargetRequest& request) override {
    bool full;
    {
      std::lock_guard lock(mutex_);
      full = server_.table().ask(request);
    }
    if (full) asked();
  }

  void flush() override {
    {
      std::lock_guard lock(mutex_);
      server_.table().flush();
    }
    asked();
  }

  std::vector<SoftTargets> take() override;
  SourceStats stats() const override;
  void keep_workers() override {
    std::lock_guard lock(mutex_);
    keeping_ = true;
  }

 private:
  void bind();
  void asked();
  void notice(const std::vector<LeaseTable::Waiting>& waiting) const;
  [[noreturn]] void stalled(const LeaseTable::Waiting& waiting) const;
  const std::string& name_of(int teacher) const {
    return server_.table().teachers()[static_cast<std::size_t>(teacher)].name;
  }
  std::string start_hint(int teacher) const override;

  void serve();        // the I/O thread
  void read_images();  // the reader's thread
  // The I/O thread, with mutex_ held.
  void receive();
  void part();
  void send();
  bool send(const std::string& peer, const std::string& frame);

  const RemoteOptions options_;
  std::string address_;
  std::shared_ptr<zmq::context_t> context_;
  std::optional<PeerGate> gate_;         // guards socket_, and outlives it
  std::optional<zmq::socket_t> socket_;  // the I/O thread alone, once it runs
  Waker waker_;
  const SystemClock clock_;

  mutable std::mutex mutex_;  // guards all that follows
  std::condition_variable changed_;
  LeaseServer server_;
  std::exception_ptr failure_;
  bool closing_ = false, keeping_ = false;
  SourceStats stats_;
  std::thread thread_, reader_;
};

void RouterSource::bind() {
  const std::size_t longest = std::min(server_.longest_frame(), frame_limits::kMessage);
  try {
    context_ = context_for(options_.bind);
    socket_.emplace(*context_, zmq::socket_type::router);
    socket_->set(zmq::sockopt::router_mandatory, true);
    socket_->set(zmq::sockopt::sndhwm, kSendHighWater);
    socket_->set(zmq::sockopt::rcvhwm, kReceiveHighWater);
    socket_->set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(longest));
    socket_->set(zmq::sockopt::linger, kLingerMilliseconds);
    if (options_.bind.rfind("inproc://", 0) != 0) {
      GateOptions gate;
      gate.keys = options_.keys;
      gate.max_waiting = std::max(gate.max_waiting, options_.max_workers);  // they may all come at once
      gate_.emplace(*context_, *socket_, options_.bind, gate);
    }
    socket_->bind(options_.bind);
    address_ = socket_->get(zmq::sockopt::last_endpoint);
    if (options_.bind.rfind("inproc://", 0) == 0) address_ = options_.bind;
  } catch (const zmq::error_t& error) {
    throw Error(std::string("can't listen here: ") + error.what(), options_.bind,
                "give tcp://HOST:PORT (* picks a port), ipc://PATH or inproc://NAME that nobody else uses");
  }
}

void RouterSource::asked() {
  waker_.wake();
  if (options_.inline_images) changed_.notify_all();
}

std::string RouterSource::start_hint(int teacher) const {
  const EngineOptions& engine = server_.table().teachers()[static_cast<std::size_t>(teacher)].engine;
  return "conclave teach --connect " + address_ + " --name " + name_of(teacher) + " --weights FILE" +
         (engine.threads == 1 ? "" : " --threads " + std::to_string(engine.threads)) + (engine.bf16 ? " --bf16" : "") +
         (engine.channels_last ? " --channels-last" : "") +
         (options_.keys.secret.empty() ? "" : " --key WORKER.key --trainer-key TRAINER.pub");
}

void RouterSource::notice(const std::vector<LeaseTable::Waiting>& waiting) const {
  for (const LeaseTable::Waiting& wait : waiting) {
    if (wait.workers == 0) {
      log::warn("teacher '{}' has no worker, no answer for {:.0f} s; start one: {}", name_of(wait.teacher),
                wait.seconds, start_hint(wait.teacher));
    } else {
      log::warn("teacher '{}' has {} workers, none has answered for {:.0f} s", name_of(wait.teacher), wait.workers,
                wait.seconds);
    }
    if (!wait.failure.empty()) log::warn("it failed on the oldest lease: {}", wait.failure);
  }
}

void RouterSource::stalled(const LeaseTable::Waiting& wait) const {
  const std::string where = "teacher '" + name_of(wait.teacher) + "'";
  const std::string failure = wait.failure.empty() ? "" : "; the oldest lease failed:\n" + wait.failure;
  const std::string seconds = std::to_string(static_cast<long long>(wait.seconds)) + " s";
  if (wait.workers == 0) {
    throw Error("has no worker, and no answer came for " + seconds + failure, where,
                "start one: " + start_hint(wait.teacher), Exit::kStalled);
  }
  throw Error("none of its " + std::to_string(wait.workers) + " workers answered for " + seconds + failure, where,
              "look at the workers' logs, or raise lease_seconds when one lease takes that long", Exit::kStalled);
}

std::vector<SoftTargets> RouterSource::take() {
  const TimePoint begin = clock_.now();
  TimePoint noticed = begin;
  std::unique_lock lock(mutex_);
  LeaseTable& table = server_.table();
  if (table.empty()) throw Error("nothing was asked", address_);
  if (table.oldest_is_open()) {
    table.flush();
    asked();
  }
  while (!failure_ && !table.answered()) {
    if (stop_requested()) throw Error("interrupted while waiting for the teachers", address_, {}, Exit::kInterrupted);
    changed_.wait_for(lock, std::chrono::milliseconds(100));
    const TimePoint now = clock_.now();
    const std::vector<LeaseTable::Waiting> waiting = table.waiting(begin, now);
    for (const LeaseTable::Waiting& wait : waiting) {
      // Workers that are there get the time to answer a lease and to have it answered by another.
      const double patience = options_.stall_timeout + (wait.workers == 0 ? 0 : 2 * options_.lease_seconds);
      if (wait.seconds > patience) stalled(wait);
    }
    if ((now - noticed).count() >= options_.stall_notice) {
      noticed = now;
      notice(waiting);
    }
  }
  if (failure_) std::rethrow_exception(failure_);
  std::vector<SoftTargets> targets = table.take();
  ++stats_.views;
  stats_.wait_seconds += (clock_.now() - begin).count();
  return targets;
}

SourceStats RouterSource::stats() const {
  std::lock_guard lock(mutex_);
  const LeaseTable& table = server_.table();
  SourceStats stats = stats_;
  stats.bytes_per_teacher = table.bytes();
  for (std::uint64_t bytes : stats.bytes_per_teacher) stats.bytes += bytes;
  for (int t = 0; t < static_cast<int>(table.teachers().size()); ++t) stats.workers.push_back(table.workers(t));
  for (int t = 0; t < static_cast<int>(table.teachers().size()); ++t)
    stats.waiting_leases.push_back(table.waiting_leases(t));
  stats.serving = table.serving(clock_.now());
  stats.leases_reissued = table.reissued();
  return stats;
}

void RouterSource::serve() {
  const auto turn = std::chrono::milliseconds(std::clamp(static_cast<int>(options_.heartbeat_seconds * 500), 5, 100));
  std::unique_lock lock(mutex_);
  try {
    while (!closing_) {
      lock.unlock();
      wait_for_input(*socket_, waker_, turn);
      lock.lock();
      receive();
      server_.tick(clock_.now());
      send();
      if (server_.failure() && !failure_) failure_ = std::make_exception_ptr(*server_.failure());
      if (failure_ || server_.table().answered()) changed_.notify_all();
    }
    if (!keeping_) part();
  } catch (...) {
    failure_ = std::current_exception();
  }
  socket_->close();
  changed_.notify_all();
}

void RouterSource::read_images() {
  std::unique_lock lock(mutex_);
  while (!closing_ && !failure_) {
    const std::optional<LeaseTable::Unread> unread = server_.table().unread();
    if (!unread) {
      changed_.wait_for(lock, std::chrono::milliseconds(500));
      continue;
    }
    lock.unlock();
    std::vector<std::shared_ptr<const std::string>> files;
    std::exception_ptr failure;
    try {
      const std::size_t most = lease_options(options_, {}).max_lease;
      for (const std::string& path : unread->paths) {
        files.push_back(std::make_shared<const std::string>(read_file(path, most)));
      }
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    try {
      if (failure) std::rethrow_exception(failure);
      server_.table().images(unread->batch, files);
      waker_.wake();
    } catch (...) {
      failure_ = std::current_exception();
      changed_.notify_all();
    }
  }
}

void RouterSource::receive() {
  for (int i = 0; i < kFramesPerTurn; ++i) {
    zmq::message_t peer, part;
    if (!uninterrupted([&] { return socket_->recv(peer, zmq::recv_flags::dontwait); })) break;
    int parts = 0;
    for (bool more = peer.more(); more; more = part.more(), ++parts) {
      if (!uninterrupted([&] { return socket_->recv(part); })) break;
    }
    if (parts != 1) {
      server_.garbage(peer.to_string(), "a message of " + std::to_string(parts) + " parts");
    } else if (part.size() > frame_limits::kMessage) {  // inproc has no limit of its own
      server_.garbage(peer.to_string(), "a message that is too long");
    } else {
      const std::string name = peer.to_string();
      const bool known = server_.table().knows(name);
      server_.handle(name, part.to_string_view(), clock_.now());
      if (gate_ && !known && server_.table().knows(name)) gate_->admit(part);
    }
  }
}

// Says goodbye to the workers and waits, not for long, until each has answered: a connection that ends before its last
// message was read takes that message along.
void RouterSource::part() {
  server_.close();
  send();
  const TimePoint end = clock_.now() + Seconds(kFarewellSeconds);
  while (!server_.table().peers().empty() && clock_.now() < end) {
    wait_for_input(*socket_, waker_, std::chrono::milliseconds(10));
    receive();
    send();
  }
}

// A peer that is gone, or that does not read, loses its leases at once.
void RouterSource::send() {
  for (const LeaseServer::Outgoing& outgoing : server_.outgoing()) {
    if (!send(outgoing.peer, outgoing.frame)) server_.lost(outgoing.peer);
  }
}

bool RouterSource::send(const std::string& peer, const std::string& frame) {
  try {
    const auto more = zmq::send_flags::sndmore | zmq::send_flags::dontwait;
    if (!uninterrupted([&] { return socket_->send(zmq::buffer(peer), more); })) return false;
    return uninterrupted([&] { return socket_->send(zmq::buffer(frame), zmq::send_flags::dontwait); }).has_value();
  } catch (const zmq::error_t& error) {
    if (error.num() != EHOSTUNREACH) throw;
    return false;
  }
}

}  // namespace

std::unique_ptr<RemoteSource> RemoteSource::open(const RemoteOptions& options, std::vector<ExpectedTeacher> teachers,
                                                 const ViewOptions& views, const SparseOptions& sparse) {
  return std::make_unique<RouterSource>(options, std::move(teachers), views, sparse);
}

}  // namespace conclave
