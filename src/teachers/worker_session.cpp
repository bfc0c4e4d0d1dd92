#include "teachers/worker_session.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "core/error.h"
#include "core/log.h"

namespace conclave {
namespace {

constexpr int kMissedHeartbeats = 5;
constexpr double kNoticeSeconds = 10;  // of trying in vain

}  // namespace

WorkerSession::WorkerSession(const Hello& hello, std::string where, const LeaseShare& share, TimePoint now)
    : where_(std::move(where)),
      hello_(encode(hello)),
      teachers_(static_cast<int>(hello.teachers.size())),
      share_(share),
      heard_(now),
      last_word_(now),
      complete_(now),
      noticed_(now) {}

void WorkerSession::receive(const Frame& frame, std::size_t bytes, TimePoint now) {
  if (ended()) return;
  if (const auto* refusal = std::get_if<Refusal>(&frame)) {
    throw Error("the trainer refused this worker: " + refusal->reason, where_);
  }
  if (const auto* other = std::get_if<OtherVersion>(&frame)) {
    throw Error("the trainer speaks protocol version " + std::to_string(other->version) + ", this worker " +
                    std::to_string(kProtocolVersion),
                where_, "use the same release on both sides");
  }
  if (const auto* welcome = std::get_if<Welcome>(&frame)) return on(*welcome, now);
  if (std::holds_alternative<Stranger>(frame)) {
    if (serving()) join();
    return;
  }
  if (std::holds_alternative<Goodbye>(frame)) {
    join();
    outbox_.push_back({encode(Goodbye{})});
    state_ = State::kEnded;
    return;
  }
  if (!serving()) return;
  if (const auto* lease = std::get_if<Lease>(&frame)) {
    if (lease->session != welcome_->session) return;
    if (takes(*lease, bytes)) queue_.push_back(*lease);
  } else if (const auto* heartbeat = std::get_if<Heartbeat>(&frame)) {
    if (heartbeat->session != welcome_->session) return;
    ranks_ = heartbeat->ranks;
    if (heartbeat->leases <= received_) complete_ = now;
  } else {
    return;
  }
  heard_ = last_word_ = now;
}

// Not what came before, nor what was not granted; when stopping nothing, it goes back with the goodbye.
bool WorkerSession::takes(const Lease& lease, std::size_t bytes) {
  if (lease.teacher >= teachers_ || lease.number <= received_ || ahead_.contains(lease.number)) return false;
  if (lease.number > granted_leases_ || received_bytes_ + bytes > granted_bytes_) return false;
  received_bytes_ += bytes;
  ahead_.insert(lease.number);
  while (!ahead_.empty() && *ahead_.begin() == received_ + 1) {
    ++received_;
    ahead_.erase(ahead_.begin());
  }
  return !stopping_;
}

void WorkerSession::on(const Welcome& welcome, TimePoint now) {
  if (!sessions_.insert(welcome.session).second) return;  // late, or doubled
  join();
  welcome_ = std::make_shared<const Welcome>(welcome);
  heartbeat_ = welcome.heartbeat_seconds;
  state_ = State::kServing;
  heard_ = last_word_ = complete_ = beat_ = now;
  ahead_.clear();
  received_ = received_bytes_ = consumed_leases_ = consumed_bytes_ = granted_leases_ = granted_bytes_ = 0;
  grant();
}

// Back to saying hello: what was leased before is the rank's again.
void WorkerSession::join() {
  state_ = State::kJoining;
  queue_.clear();
  outbox_.clear();
  beat_ = TimePoint{};
}

void WorkerSession::tick(TimePoint now) {
  if (ended()) return;
  if (serving() && (now - heard_).count() > kMissedHeartbeats * heartbeat_) {
    log::warn("no word from the trainer at {} for {:.1f} s; waiting for it to come back", where_,
              (now - heard_).count());
    join();
    reconnect_ = true;
  } else if (serving() && (now - complete_).count() > kMissedHeartbeats * heartbeat_) {
    log::warn("leases of the trainer at {} got lost; saying hello again", where_);
    join();
  }
  if (!serving() && (now - std::max(last_word_, noticed_)).count() >= kNoticeSeconds) {
    log::warn("no trainer has answered at {} for {:.0f} s; still trying", where_, (now - last_word_).count());
    noticed_ = now;
  }
  if ((now - beat_).count() < heartbeat_ || !outbox_.empty()) return;
  beat_ = now;
  if (serving()) {
    grant();
  } else {
    outbox_.push_back({hello_});
  }
}

void WorkerSession::grant() {
  if (!stopping_) {
    granted_leases_ = std::max(granted_leases_, consumed_leases_ + share_.leases);
    granted_bytes_ =
        std::max(granted_bytes_, consumed_bytes_ + std::max<std::uint64_t>(share_.bytes, welcome_->max_lease));
  }
  outbox_.push_back({encode(Credit{welcome_->session, granted_leases_, granted_bytes_})});
}

void WorkerSession::share(const LeaseShare& share) {
  share_ = share;
}

void WorkerSession::stop() {
  stopping_ = true;
  queue_.clear();
}

void WorkerSession::say_goodbye() {
  if (serving()) {
    outbox_.push_back({encode(Goodbye{})});
  } else if (!ended()) {
    outbox_.clear();
  }
  queue_.clear();
  state_ = State::kEnded;
}

bool WorkerSession::reconnect() {
  return std::exchange(reconnect_, false);
}

Lease WorkerSession::take() {
  Lease lease = std::move(queue_.front());
  queue_.pop_front();
  return lease;
}

bool WorkerSession::answer(LeaseAnswer answer) {
  if (!serving() || answer.session != welcome_->session) return false;
  outbox_.push_back({std::move(answer.frame), answer.lease_bytes});
  return true;
}

void WorkerSession::sent() {
  const std::size_t lease_bytes = outbox_.front().lease_bytes;
  outbox_.pop_front();
  if (lease_bytes == 0) return;
  ++consumed_leases_;
  consumed_bytes_ += lease_bytes;
  if (serving()) grant();
}

}  // namespace conclave
