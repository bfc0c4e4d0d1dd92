#include "teachers/remote_source.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <variant>

#include "core/clock.h"
#include "core/error.h"
#include "core/log.h"
#include "core/stop.h"
#include "models/spec.h"
#include "teachers/lease_table.h"
#include "teachers/transport.h"

namespace conclave {
namespace {

constexpr int kHighWaterMark = 1000;      // frames per peer; credit keeps far below it
constexpr int kLingerMilliseconds = 500;  // for the goodbyes
constexpr double kFarewellSeconds = 1;    // for the workers' answers to it
constexpr int kFramesPerTurn = 256;       // then leases and heartbeats get their turn
constexpr std::size_t kMaxWarnedPeers = 64;

LeaseOptions lease_options(const RemoteOptions& options, const ViewOptions& views) {
  LeaseOptions lease;
  lease.lease_views = options.lease_views;
  lease.lease_seconds = options.lease_seconds;
  lease.heartbeat_seconds = options.heartbeat_seconds;
  lease.grid_width = views.width / kStride;
  lease.grid_height = views.height / kStride;
  return lease;
}

std::uint64_t random_number() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) ^ device();
}

class RouterSource final : public RemoteSource {
 public:
  RouterSource(const RemoteOptions& options, std::vector<ExpectedTeacher> teachers, const ViewOptions& views,
               const SparseOptions& sparse)
      : options_(options), table_(lease_options(options, views), std::move(teachers)) {
    if (options.lease_views < 1 || options.lease_views > frame_limits::kViews) {
      throw Error("a lease holds 1 to " + std::to_string(frame_limits::kViews) + " views", "lease_views");
    }
    welcome_.run = random_number();
    welcome_.views = views;
    welcome_.sparse = sparse;
    welcome_.heartbeat_seconds = options.heartbeat_seconds;
    stats_.bytes_per_teacher.resize(table_.teachers().size());
    bind();
    thread_ = std::thread([this] { serve(); });
  }

  ~RouterSource() override {
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
    }
    waker_.wake();
    thread_.join();
  }

  const std::string& address() const override { return address_; }

  void ask(const TargetRequest& request) override {
    {
      std::lock_guard lock(mutex_);
      table_.ask(request);
    }
    waker_.wake();
  }

  void flush() override {
    {
      std::lock_guard lock(mutex_);
      table_.flush();
    }
    waker_.wake();
  }

  std::vector<SoftTargets> take() override;
  SourceStats stats() const override;

 private:
  void bind();
  void notice(const std::vector<LeaseTable::Waiting>& waiting) const;
  [[noreturn]] void stalled(const LeaseTable::Waiting& waiting) const;
  std::string start_hint(int teacher) const;

  // The I/O thread, with mutex_ held.
  void serve();
  void receive();
  void part();
  void handle(const std::string& peer, std::string_view bytes);
  void on(const std::string& peer, const Hello& hello);
  void on(const std::string& peer, const Result& result);
  void on(const std::string& peer, const Failure& failure);
  void garbage(const std::string& peer, const std::string& why);
  void grant();
  void expire();
  bool send(const std::string& peer, const std::string& frame);

  const RemoteOptions options_;
  Welcome welcome_;
  std::string address_;
  std::shared_ptr<zmq::context_t> context_;
  std::optional<zmq::socket_t> socket_;  // the I/O thread alone, once it runs
  Waker waker_;
  const SystemClock clock_;

  mutable std::mutex mutex_;  // guards all that follows
  std::condition_variable changed_;
  LeaseTable table_;
  std::exception_ptr failure_;
  bool closing_ = false;
  SourceStats stats_;
  std::set<std::string> warned_;  // peers whose garbage was logged
  std::uint64_t garbage_ = 0;
  std::thread thread_;
};

void RouterSource::bind() {
  try {
    context_ = context_for(options_.bind);
    socket_.emplace(*context_, zmq::socket_type::router);
    socket_->set(zmq::sockopt::router_mandatory, true);
    socket_->set(zmq::sockopt::sndhwm, kHighWaterMark);
    socket_->set(zmq::sockopt::rcvhwm, kHighWaterMark);
    socket_->set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(options_.max_message));
    socket_->set(zmq::sockopt::linger, kLingerMilliseconds);
    socket_->bind(options_.bind);
    address_ = socket_->get(zmq::sockopt::last_endpoint);
    if (options_.bind.rfind("inproc://", 0) == 0) address_ = options_.bind;
  } catch (const zmq::error_t& error) {
    throw Error(std::string("can't listen here: ") + error.what(), options_.bind,
                "give tcp://HOST:PORT (* picks a port), ipc://PATH or inproc://NAME that nobody else uses");
  }
  if (address_.rfind("tcp://", 0) == 0 && address_.rfind("tcp://127.", 0) != 0) {
    log::warn("{}: everybody who reaches this port can answer as a teacher; it is neither encrypted nor authenticated",
              address_);
  }
}

std::string RouterSource::start_hint(int teacher) const {
  return "conclave teach --connect " + address_ + " --name " +
         table_.teachers()[static_cast<std::size_t>(teacher)].name + " --weights FILE";
}

void RouterSource::notice(const std::vector<LeaseTable::Waiting>& waiting) const {
  for (const LeaseTable::Waiting& wait : waiting) {
    const std::string& name = table_.teachers()[static_cast<std::size_t>(wait.teacher)].name;
    if (wait.workers == 0) {
      log::warn("teacher '{}' has no worker, waiting since {:.0f} s; start one: {}", name, wait.seconds,
                start_hint(wait.teacher));
    } else {
      log::warn("teacher '{}' has {} workers, none has answered for {:.0f} s", name, wait.workers, wait.seconds);
    }
  }
}

void RouterSource::stalled(const LeaseTable::Waiting& wait) const {
  const std::string where = "teacher '" + table_.teachers()[static_cast<std::size_t>(wait.teacher)].name + "'";
  const std::string seconds = std::to_string(static_cast<long long>(wait.seconds)) + " s";
  if (wait.workers == 0) {
    throw Error("had no worker for " + seconds, where, "start one: " + start_hint(wait.teacher), Exit::kStalled);
  }
  throw Error("none of its " + std::to_string(wait.workers) + " workers answered for " + seconds, where,
              "look at the workers' logs, or raise lease_seconds when one lease takes that long", Exit::kStalled);
}

std::vector<SoftTargets> RouterSource::take() {
  const TimePoint begin = clock_.now();
  TimePoint noticed = begin;
  std::unique_lock lock(mutex_);
  if (table_.empty()) throw Error("nothing was asked", address_);
  if (table_.oldest_is_open()) {
    table_.flush();
    waker_.wake();
  }
  while (!failure_ && !table_.answered()) {
    if (stop_requested()) throw Error("interrupted while waiting for the teachers", address_, {}, Exit::kInterrupted);
    changed_.wait_for(lock, std::chrono::milliseconds(100));
    const TimePoint now = clock_.now();
    const std::vector<LeaseTable::Waiting> waiting = table_.waiting(begin, now);
    for (const LeaseTable::Waiting& wait : waiting) {
      // Workers that are there get the time to answer a lease and to have it answered by another.
      const double patience =
          wait.workers == 0 ? options_.stall_timeout : std::max(options_.stall_timeout, 2 * options_.lease_seconds);
      if (wait.seconds > patience) stalled(wait);
    }
    if ((now - noticed).count() >= options_.stall_notice) {
      noticed = now;
      notice(waiting);
    }
  }
  if (failure_) std::rethrow_exception(failure_);
  std::vector<SoftTargets> targets = table_.take();
  ++stats_.views;
  stats_.wait_seconds += (clock_.now() - begin).count();
  return targets;
}

SourceStats RouterSource::stats() const {
  std::lock_guard lock(mutex_);
  SourceStats stats = stats_;
  stats.bytes_per_teacher = table_.bytes();
  for (std::uint64_t bytes : stats.bytes_per_teacher) stats.bytes += bytes;
  for (int t = 0; t < static_cast<int>(table_.teachers().size()); ++t) stats.workers.push_back(table_.workers(t));
  stats.leases_reissued = table_.reissued();
  return stats;
}

void RouterSource::serve() {
  TimePoint beat = clock_.now();
  const auto turn = std::chrono::milliseconds(std::clamp(static_cast<int>(options_.heartbeat_seconds * 500), 5, 100));
  std::unique_lock lock(mutex_);
  try {
    while (!closing_) {
      lock.unlock();
      wait_for_input(*socket_, waker_, turn);
      lock.lock();
      receive();
      const TimePoint now = clock_.now();
      if ((now - beat).count() >= options_.heartbeat_seconds) {
        beat = now;
        for (const std::string& peer : table_.peers()) send(peer, encode(Heartbeat{}));
      }
      expire();
      grant();
      changed_.notify_all();
    }
    part();
  } catch (...) {
    failure_ = std::current_exception();
  }
  socket_->close();
  changed_.notify_all();
}

void RouterSource::receive() {
  for (int i = 0; i < kFramesPerTurn; ++i) {
    zmq::message_t peer, part;
    if (!uninterrupted([&] { return socket_->recv(peer, zmq::recv_flags::dontwait); })) break;
    int parts = 0;
    for (bool more = peer.more(); more; more = part.more(), ++parts) {
      if (!uninterrupted([&] { return socket_->recv(part); })) break;
    }
    const std::string name = peer.to_string();
    if (parts != 1) {
      garbage(name, "a message of " + std::to_string(parts) + " parts");
    } else {
      handle(name, part.to_string_view());
    }
  }
}

// Says goodbye to the workers and waits, not for long, until each has answered: a connection that ends before its last
// message was read takes that message along.
void RouterSource::part() {
  for (const std::string& peer : table_.peers()) send(peer, encode(Goodbye{}));
  const TimePoint end = clock_.now() + Seconds(kFarewellSeconds);
  while (!table_.peers().empty() && clock_.now() < end) {
    wait_for_input(*socket_, waker_, std::chrono::milliseconds(10));
    receive();
  }
}

// A peer that is gone loses its leases at once; one whose queue is full is left to its heartbeats.
bool RouterSource::send(const std::string& peer, const std::string& frame) {
  try {
    const auto more = zmq::send_flags::sndmore | zmq::send_flags::dontwait;
    if (!uninterrupted([&] { return socket_->send(zmq::buffer(peer), more); })) return false;
    return uninterrupted([&] { return socket_->send(zmq::buffer(frame), zmq::send_flags::dontwait); }).has_value();
  } catch (const zmq::error_t& error) {
    if (error.num() != EHOSTUNREACH) throw;
  }
  if (table_.knows(peer)) {
    const std::string worker = table_.worker_name(peer);
    const int leases = table_.remove(peer, clock_.now());
    log::warn("worker {} is gone; {} of its leases go to others", worker, leases);
  }
  return false;
}

void RouterSource::handle(const std::string& peer, std::string_view bytes) {
  Frame frame;
  try {
    if (bytes.size() > options_.max_message) throw Error("longer than max_message", "frame");
    frame = parse_frame(bytes);
  } catch (const Error& error) {
    return garbage(peer, error.what());
  }
  table_.heard(peer, clock_.now());
  if (const auto* other = std::get_if<OtherVersion>(&frame)) {
    send(peer,
         encode(Refusal{"the worker speaks protocol version " + std::to_string(other->version) + ", the trainer " +
                        std::to_string(kProtocolVersion) + ": use the same release on both sides"}));
    return;
  }
  if (const auto* hello = std::get_if<Hello>(&frame)) return on(peer, *hello);
  if (!table_.knows(peer)) {
    if (!std::holds_alternative<Goodbye>(frame)) send(peer, encode(Stranger{}));
    return;
  }
  if (const auto* credit = std::get_if<Credit>(&frame)) return table_.credit(peer, credit->leases);
  if (const auto* result = std::get_if<Result>(&frame)) return on(peer, *result);
  if (const auto* failure = std::get_if<Failure>(&frame)) return on(peer, *failure);
  if (std::holds_alternative<Goodbye>(frame)) {
    const std::string worker = table_.worker_name(peer);
    const int leases = table_.remove(peer, clock_.now());
    if (!closing_) log::info("worker {} leaves; {} of its leases go to others", worker, leases);
    return;
  }
  if (!std::holds_alternative<Heartbeat>(frame)) garbage(peer, "a frame that only a trainer sends");
}

void RouterSource::on(const std::string& peer, const Hello& hello) {
  if (closing_) {
    send(peer, encode(Goodbye{}));
    return;
  }
  if (std::optional<std::string> reason = table_.hello(peer, hello, clock_.now())) {
    log::warn("worker {} refused: {}", hello.worker, *reason);
    send(peer, encode(Refusal{*reason}));
    return;
  }
  log::info("worker {} serves teacher '{}'", hello.worker, hello.teacher);
  send(peer, encode(welcome_));
}

void RouterSource::on(const std::string& peer, const Result& result) {
  if (result.run != welcome_.run) return;
  const std::string worker = table_.worker_name(peer);
  const LeaseTable::Judgement judgement = table_.result(peer, result, clock_.now());
  if (judgement.verdict != LeaseTable::Verdict::kInvalid) return;
  log::warn("worker {} dismissed: {}", worker, judgement.reason);
  send(peer, encode(Refusal{judgement.reason}));
}

void RouterSource::on(const std::string& peer, const Failure& failure) {
  if (failure.run != welcome_.run || !table_.failure(peer, failure) || failure_) return;
  const std::string& teacher = table_.teachers()[static_cast<std::size_t>(table_.teacher_of(peer))].name;
  failure_ =
      std::make_exception_ptr(Error(failure.reason, "teacher '" + teacher + "', worker " + table_.worker_name(peer),
                                    "what one worker can't read, no worker can: repair or remove the image"));
}

void RouterSource::garbage(const std::string& peer, const std::string& why) {
  ++garbage_;
  if (warned_.size() >= kMaxWarnedPeers || !warned_.insert(peer).second) return;
  log::warn("{}: ignored a message that is not of a worker: {}", address_, why);
  if (warned_.size() == kMaxWarnedPeers) log::warn("{}: more such messages are not reported", address_);
}

void RouterSource::expire() {
  for (const LeaseTable::Lost& lost : table_.expire(clock_.now())) {
    const std::string& teacher = table_.teachers()[static_cast<std::size_t>(lost.teacher)].name;
    if (lost.dead) {
      log::warn("teacher '{}': worker {} is silent, taken for dead; {} of its leases go to others", teacher,
                lost.worker, lost.leases);
    } else {
      log::warn("teacher '{}': {} leases of worker {} are overdue and go to others", teacher, lost.leases, lost.worker);
    }
  }
}

void RouterSource::grant() {
  for (const LeaseTable::Grant& grant : table_.grant(clock_.now())) {
    if (!send(grant.peer, encode(grant.lease)) && table_.knows(grant.peer)) table_.remove(grant.peer, clock_.now());
  }
}

}  // namespace

std::unique_ptr<RemoteSource> RemoteSource::open(const RemoteOptions& options, std::vector<ExpectedTeacher> teachers,
                                                 const ViewOptions& views, const SparseOptions& sparse) {
  return std::make_unique<RouterSource>(options, std::move(teachers), views, sparse);
}

}  // namespace conclave
