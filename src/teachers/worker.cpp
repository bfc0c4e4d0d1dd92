#include "teachers/worker.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <variant>

#include "core/clock.h"
#include "core/error.h"
#include "core/log.h"
#include "fusion/sparse.h"
#include "teachers/engine.h"
#include "teachers/frame.h"
#include "teachers/record_writer.h"
#include "teachers/transport.h"

namespace conclave {
namespace {

constexpr int kHighWaterMark = 1000;
constexpr int kLingerMilliseconds = 500;
constexpr int kMissedHeartbeats = 5;
constexpr std::int64_t kMaxMessage = 64 << 20;

// One lease with what its answer depends on. A new session (welcome) makes older jobs void.
struct Job {
  std::uint64_t session = 0;
  Welcome welcome;
  Lease lease;
};

struct Answer {
  std::uint64_t session = 0;
  std::string frame;
  std::uint64_t views = 0, bytes = 0;  // 0 for a failure
};

// Answers leases on a thread of its own, so that heartbeats go on while it computes.
class ComputeThread {
 public:
  ComputeThread(Engine& engine, const std::string& root, Waker& waker) : engine_(engine), root_(root), waker_(waker) {
    thread_ = std::thread([this] { work(); });
  }
  ~ComputeThread() {
    drop_waiting();
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void add(Job job) {
    {
      std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
    }
    changed_.notify_all();
  }

  void drop_waiting() {
    std::lock_guard lock(mutex_);
    jobs_.clear();
  }

  // False: nothing waits, is computed or is answered and not collected.
  bool busy() const {
    std::lock_guard lock(mutex_);
    return computing_ || !jobs_.empty() || !answers_.empty();
  }

  std::deque<Answer> collect() {
    std::lock_guard lock(mutex_);
    return std::exchange(answers_, {});
  }

 private:
  void work() {
    while (true) {
      Job job;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return closing_ || !jobs_.empty(); });
        if (closing_) return;
        job = std::move(jobs_.front());
        jobs_.pop_front();
        computing_ = true;
      }
      Answer answered = answer(job);
      {
        std::lock_guard lock(mutex_);
        computing_ = false;
        answers_.push_back(std::move(answered));
      }
      waker_.wake();
    }
  }

  Answer answer(const Job& job) {
    Answer out;
    out.session = job.session;
    try {
      std::vector<View> views;
      for (const TargetRequest& request : job.lease.views) views.push_back(draw(request, job.welcome.views));
      const HeadOutputs heads = engine_.run(views);
      Result result{job.welcome.run, job.lease.id, job.lease.token, {}};
      for (std::size_t i = 0; i < views.size(); ++i) {
        result.records.push_back(write_record(sparsify(heads, static_cast<int>(i), job.welcome.sparse)));
        out.bytes += result.records.back().size();
      }
      out.views = views.size();
      out.frame = encode(result);
    } catch (const std::exception& error) {
      log::error("lease {}: {}", job.lease.id, error.what());
      out.views = out.bytes = 0;
      out.frame = encode(Failure{job.welcome.run, job.lease.id, job.lease.token, error.what()});
    }
    return out;
  }

  View draw(const TargetRequest& request, const ViewOptions& options) const {
    ImageEntry image;
    const std::filesystem::path path(request.path);
    image.path = root_.empty() || path.is_absolute() ? request.path : (std::filesystem::path(root_) / path).string();
    image.width = request.width;
    image.height = request.height;
    return draw_view(image, request.key, options);
  }

  Engine& engine_;  // used by thread_ alone
  const std::string root_;
  Waker& waker_;
  mutable std::mutex mutex_;  // guards all that follows
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::deque<Answer> answers_;
  bool computing_ = false, closing_ = false;
  std::thread thread_;
};

std::string host_and_process() {
  char host[128] = {};
  if (::gethostname(host, sizeof host - 1) != 0) return "pid " + std::to_string(::getpid());
  return std::string(host) + ":" + std::to_string(::getpid());
}

std::uint64_t random_number() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) ^ device();
}

// The worker's side of the protocol: joining -> serving -> (joining | left).
class WorkerLoop {
 public:
  WorkerLoop(const WorkerOptions& options, Engine& engine)
      : options_(options), compute_(engine, options.root, waker_), last_word_(clock_.now()), heard_(last_word_) {
    hello_.instance = random_number();
    hello_.teacher = options.name;
    hello_.hash = engine.hash();
    hello_.classes = engine.spec().classes;
    hello_.engine = engine.options();
    hello_.capacity = std::clamp(options.capacity, 1, frame_limits::kCapacity);
    hello_.worker = host_and_process();
  }

  WorkerReport run(const std::function<bool()>& stop) {
    connect();
    while (!left_) {
      if (!stopping_ && stop()) begin_stop();
      if (stopping_ && (!serving_ || (!compute_.busy() && outbox_.empty()))) {
        if (serving_) send(encode(Goodbye{}));
        break;
      }
      tend();
      wait_for_input(*socket_, waker_, turn());
      receive();
      post_answers();
    }
    socket_->close();
    return report_;
  }

 private:
  std::chrono::milliseconds turn() const {
    return std::chrono::milliseconds(std::clamp(static_cast<int>(heartbeat_ * 500), 5, 100));
  }

  void connect() {
    try {
      if (!context_) context_ = context_for(options_.connect);
      socket_.emplace(*context_, zmq::socket_type::dealer);
      socket_->set(zmq::sockopt::immediate, true);
      socket_->set(zmq::sockopt::sndhwm, kHighWaterMark);
      socket_->set(zmq::sockopt::rcvhwm, kHighWaterMark);
      socket_->set(zmq::sockopt::maxmsgsize, kMaxMessage);
      socket_->set(zmq::sockopt::linger, kLingerMilliseconds);
      socket_->set(zmq::sockopt::reconnect_ivl_max, 2000);
      socket_->connect(options_.connect);
    } catch (const zmq::error_t& error) {
      throw Error(std::string("can't connect: ") + error.what(), options_.connect,
                  "give the trainer's address: tcp://HOST:PORT, ipc://PATH or inproc://NAME");
    }
  }

  void begin_stop() {
    stopping_ = true;
    compute_.drop_waiting();  // the trainer takes them back at the goodbye
  }

  // Says hello until the trainer answers; heartbeats afterwards; notices silence.
  void tend() {
    const TimePoint now = clock_.now();
    if (serving_ && (now - heard_).count() > kMissedHeartbeats * heartbeat_) {
      log::warn("no word from the trainer at {} for {:.1f} s; waiting for it to come back", options_.connect,
                (now - heard_).count());
      join();
      connect();  // afresh: an inproc address does not reconnect by itself
    }
    if (!serving_ && (now - last_word_).count() > options_.connect_timeout) {
      throw Error(
          "no word from the trainer for " + std::to_string(static_cast<long long>(options_.connect_timeout)) + " s",
          options_.connect, "is the trainer running, and is this its address?");
    }
    if ((now - beat_).count() < heartbeat_) return;
    if (send(serving_ ? encode(Heartbeat{}) : encode(hello_))) beat_ = now;
  }

  // Back to saying hello: what was leased before is the trainer's again.
  void join() {
    serving_ = false;
    ++session_;
    outbox_.clear();
    compute_.drop_waiting();
    beat_ = TimePoint{};
  }

  bool send(const std::string& frame) {
    return uninterrupted([&] { return socket_->send(zmq::buffer(frame), zmq::send_flags::dontwait); }).has_value();
  }

  void receive() {
    zmq::message_t message;
    while (!left_ && uninterrupted([&] { return socket_->recv(message, zmq::recv_flags::dontwait); })) {
      if (message.more()) {
        while (message.more() && uninterrupted([&] { return socket_->recv(message); })) {
        }
        continue;
      }
      Frame frame;
      try {
        frame = parse_frame(message.to_string_view());
      } catch (const Error& error) {
        log::warn("{}: ignored a message that is not of a trainer: {}", options_.connect, error.what());
        continue;
      }
      heard_ = clock_.now();
      handle(frame);
    }
  }

  void handle(const Frame& frame) {
    if (const auto* welcome = std::get_if<Welcome>(&frame)) {
      join();
      welcome_ = *welcome;
      heartbeat_ = welcome_.heartbeat_seconds;
      serving_ = true;
      last_word_ = beat_ = clock_.now();
      log::info("teacher '{}' serves {}", options_.name, options_.connect);
      if (!stopping_) outbox_.push_back(encode(Credit{hello_.capacity}));
    } else if (const auto* lease = std::get_if<Lease>(&frame)) {
      if (serving_ && !stopping_) compute_.add({session_, welcome_, *lease});
    } else if (const auto* refusal = std::get_if<Refusal>(&frame)) {
      throw Error("the trainer refused this worker: " + refusal->reason, options_.connect);
    } else if (const auto* other = std::get_if<OtherVersion>(&frame)) {
      throw Error("the trainer speaks protocol version " + std::to_string(other->version) + ", this worker " +
                      std::to_string(kProtocolVersion),
                  options_.connect, "use the same release on both sides");
    } else if (std::holds_alternative<Stranger>(frame)) {
      if (serving_) join();
    } else if (std::holds_alternative<Goodbye>(frame)) {
      send(encode(Goodbye{}));
      left_ = true;
    }
    if (serving_) last_word_ = heard_;
  }

  void post_answers() {
    for (Answer& answer : compute_.collect()) {
      if (answer.session != session_ || !serving_) continue;
      outbox_.push_back(std::move(answer.frame));
      if (!stopping_) outbox_.push_back(encode(Credit{1}));
      if (answer.views > 0) ++report_.leases;
      report_.views += answer.views;
      report_.bytes += answer.bytes;
    }
    while (!outbox_.empty() && send(outbox_.front())) outbox_.pop_front();
  }

  const WorkerOptions& options_;
  const SystemClock clock_;
  Hello hello_;
  Waker waker_;
  ComputeThread compute_;
  std::shared_ptr<zmq::context_t> context_;
  std::optional<zmq::socket_t> socket_;
  Welcome welcome_;
  std::uint64_t session_ = 0;
  std::deque<std::string> outbox_;
  double heartbeat_ = 1;  // seconds; the trainer's once it has welcomed us
  TimePoint last_word_;   // while serving, of the trainer; joining counts from here
  TimePoint heard_, beat_{};
  bool serving_ = false, stopping_ = false, left_ = false;
  WorkerReport report_;
};

}  // namespace

WorkerReport run_worker(const WorkerOptions& options, const std::function<bool()>& stop) {
  Engine engine(options.weights, options.engine);
  return WorkerLoop(options, engine).run(stop);
}

}  // namespace conclave
