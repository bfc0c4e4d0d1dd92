#include "teachers/worker_protocol.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/log.h"

namespace conclave {
namespace {

// An address that its owner bound on all interfaces is reached where rank 0 was.
std::string reachable(const std::string& address, const std::string& first) {
  const std::size_t port = address.rfind(':');
  if (port == std::string::npos || first.rfind("tcp://", 0) != 0) return address;
  const std::string host = address.substr(0, port);
  if (host != "tcp://0.0.0.0" && host != "tcp://*" && host != "tcp://[::]") return address;
  return first.substr(0, first.rfind(':')) + address.substr(port);
}

}  // namespace

WorkerProtocol::WorkerProtocol(const Hello& hello, const WorkerLimits& limits, const std::string& address,
                               TimePoint now)
    : hello_(hello), limits_(limits) {
  ranks_.push_back({address, WorkerSession(hello, address, {}, now)});
  ranks_[0].session.share(share());
}

LeaseShare WorkerProtocol::share() const {
  const std::size_t count = ranks_.size();
  return {std::max<std::uint64_t>(1, static_cast<std::uint64_t>(limits_.leases) / count), limits_.bytes / count};
}

bool WorkerProtocol::reconnect(std::size_t rank) {
  const bool replaced = std::exchange(ranks_[rank].reconnect, false);
  return ranks_[rank].session.reconnect() || replaced;
}

void WorkerProtocol::receive(std::size_t rank, std::string_view bytes, TimePoint now) {
  Frame frame;
  try {
    frame = parse_frame(bytes);
  } catch (const Error& error) {
    log::warn("{}: ignored a message that is not of a trainer: {}", ranks_[rank].address, error.what());
    return;
  }
  WorkerSession& session = ranks_[rank].session;
  const bool waited = session.next() != nullptr, served = session.serving();
  session.receive(frame, bytes.size(), now);
  if (!waited && session.next()) ranks_[rank].served = std::max(ranks_[rank].served, turn_);
  if (!served && session.serving()) log::info("serves {}", ranks_[rank].address);
  if (rank != 0 || leaving_) return;
  if (session.ended()) return leave();
  if (session.serving()) follow(session.ranks(), now);
}

// What rank 0 says of the others. Ranks that had ended are tried again when rank 0 has begun anew.
void WorkerProtocol::follow(std::vector<std::string> addresses, TimePoint now) {
  const std::uint64_t session = ranks_[0].session.welcome()->session;
  const bool anew = std::exchange(session_, session) != session;
  if (stopping_) return;
  const auto open = [&](const std::string& address) {
    return Rank{address, WorkerSession(hello_, address, share(), now), turn_, true};
  };
  for (std::size_t r = 1; r < std::max(ranks_.size(), addresses.size()); ++r) {
    const std::string address = r < addresses.size() ? reachable(addresses[r], ranks_[0].address) : ranks_[r].address;
    if (r == ranks_.size()) {
      log::info("rank {} is at {}", r, address);
      ranks_.push_back(open(address));
    } else if (ranks_[r].address != address || (anew && ranks_[r].session.ended())) {
      ranks_[r] = open(address);
    }
  }
  if (!addresses.empty() && ranks_.size() > addresses.size()) {
    ranks_.erase(ranks_.begin() + static_cast<std::ptrdiff_t>(addresses.size()), ranks_.end());
  }
  for (Rank& rank : ranks_) rank.session.share(share());
}

void WorkerProtocol::tick(TimePoint now) {
  for (Rank& rank : ranks_) rank.session.tick(now);
  const WorkerSession& first = ranks_[0].session;
  if (!leaving_ && !first.serving() && (now - first.last_word()).count() > limits_.connect_timeout) {
    throw Error(
        "no word from the trainer for " + std::to_string(static_cast<long long>(limits_.connect_timeout)) + " s",
        ranks_[0].address, trouble_.empty() ? "is the trainer running, and is this its address?" : trouble_);
  }
  if (stopping_ && taken_ == 0) leave();
}

void WorkerProtocol::stop() {
  stopping_ = true;
  for (Rank& rank : ranks_) rank.session.stop();
  if (taken_ == 0) leave();
}

void WorkerProtocol::leave() {
  if (std::exchange(leaving_, true)) return;
  for (Rank& rank : ranks_) rank.session.say_goodbye();
}

std::vector<TakenLease> WorkerProtocol::next(std::size_t views) {
  std::vector<TakenLease> taken;
  std::size_t count = 0;
  while (!leaving_ && !stopping_) {
    Rank* best = nullptr;
    for (Rank& rank : ranks_) {
      const Lease* lease = rank.session.next();
      if (!lease || (best && rank.served >= best->served)) continue;
      if (!taken.empty()) {
        const auto same_rank = [&](const TakenLease& other) { return &ranks_[other.rank] == &rank; };
        const ViewOptions& first = taken.front().welcome->views;
        const ViewOptions& own = rank.session.welcome()->views;
        if (std::any_of(taken.begin(), taken.end(), same_rank) || lease->teacher != taken.front().lease.teacher ||
            own.width != first.width || own.height != first.height || count + lease->views.size() > views)
          continue;
      }
      best = &rank;
    }
    if (!best) break;
    if (taken.empty()) turn_ = best->served;
    TakenLease one{static_cast<std::size_t>(best - ranks_.data()), best->session.welcome(), best->session.take()};
    best->served += one.lease.views.size();
    count += one.lease.views.size();
    taken.push_back(std::move(one));
  }
  taken_ += taken.size();
  return taken;
}

void WorkerProtocol::answer(LeaseAnswer answer) {
  --taken_;
  if (answer.rank < ranks_.size()) {
    const std::uint64_t views = answer.views, bytes = answer.bytes;
    if (ranks_[answer.rank].session.answer(std::move(answer)) && views > 0) {
      ++leases_;
      views_ += views;
      bytes_ += bytes;
    }
  }
  if (stopping_ && taken_ == 0) leave();
}

void WorkerProtocol::drop(std::size_t leases) {
  taken_ -= leases;
  if (stopping_ && taken_ == 0) leave();
}

void WorkerProtocol::sent(std::size_t rank) {
  ranks_[rank].session.sent();
}

}  // namespace conclave
