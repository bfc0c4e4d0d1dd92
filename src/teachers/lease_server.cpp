#include "teachers/lease_server.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "core/log.h"
#include "teachers/record_format.h"

namespace conclave {
namespace {

constexpr std::size_t kMaxWarnedPeers = 64;
constexpr std::size_t kMaxTold = 1000;
constexpr std::size_t kLongestGreeting = 512u << 10;  // a hello of many classes

std::size_t longest_result_of(const LeaseOptions& options, const std::vector<ExpectedTeacher>& teachers) {
  std::size_t channels = 0;
  for (const ExpectedTeacher& teacher : teachers) {
    channels = std::max(channels, teacher.classes.empty() ? frame_limits::kClasses : teacher.classes.size());
  }
  return largest_result(options.lease_views,
                        longest_record(options.grid_width * options.grid_height, static_cast<int>(channels)));
}

// The session of a frame that a worker sends within one.
std::optional<std::uint64_t> session_of(const Frame& frame) {
  if (const auto* credit = std::get_if<Credit>(&frame)) return credit->session;
  if (const auto* result = std::get_if<Result>(&frame)) return result->session;
  if (const auto* failure = std::get_if<Failure>(&frame)) return failure->session;
  return std::nullopt;
}

}  // namespace

// A run of cells costs up to two bytes more than what its cells carry, but for one in 64 where its gap or length needs
// another byte; a single run of all cells carries the most.
std::size_t longest_record(int cells, int channels) {
  const auto n = static_cast<std::size_t>(cells);
  const std::size_t positions = n / 32 + 16;
  return record::kHeaderBytes + record::kTrailerBytes +
         static_cast<std::size_t>(channels) * (record::kLogitBytes * n + positions) + record::kBoxBytes * n + positions;
}

LeaseServer::LeaseServer(const LeaseOptions& options, std::vector<ExpectedTeacher> teachers, const ViewOptions& views,
                         const SparseOptions& sparse, std::uint64_t first_session)
    : options_(options),
      table_(options, teachers),
      next_session_(first_session),
      longest_frame_(std::max(kLongestGreeting, longest_result_of(options, teachers))) {
  welcome_.max_lease = options.max_lease;
  welcome_.heartbeat_seconds = options.heartbeat_seconds;
  welcome_.views = views;
  welcome_.sparse = sparse;
}

std::vector<LeaseServer::Outgoing> LeaseServer::outgoing() {
  return std::exchange(outgoing_, {});
}

void LeaseServer::handle(const std::string& peer, std::string_view bytes, TimePoint now) {
  Frame frame;
  try {
    frame = parse_frame(bytes);
  } catch (const Error& error) {
    return garbage(peer, error.what());
  }
  if (const auto* other = std::get_if<OtherVersion>(&frame)) {
    return say(
        peer, encode(Refusal{"the worker speaks protocol version " + std::to_string(other->version) + ", the trainer " +
                             std::to_string(kProtocolVersion) + ": use the same release on both sides"}));
  }
  if (const auto* hello = std::get_if<Hello>(&frame)) return on(peer, *hello, now);
  if (!table_.knows(peer)) {
    if (!std::holds_alternative<Goodbye>(frame)) say(peer, encode(Stranger{}));
    return;
  }
  if (std::holds_alternative<Goodbye>(frame)) {
    const std::string worker = table_.worker_name(peer);
    const int leases = table_.remove(peer);
    if (!closing_) log::info("worker {} leaves; {} of its leases go to others", worker, leases);
    return;
  }
  const std::optional<std::uint64_t> session = session_of(frame);
  if (!session) return garbage(peer, "a frame that only a trainer sends");
  if (*session != table_.session_of(peer)) return;  // of before its last hello
  table_.heard(peer, now);
  if (const auto* credit = std::get_if<Credit>(&frame)) return table_.credit(peer, *credit);
  if (const auto* result = std::get_if<Result>(&frame)) return on(peer, *result, now);
  on(peer, std::get<Failure>(frame));
}

void LeaseServer::on(const std::string& peer, const Hello& hello, TimePoint now) {
  if (closing_) return say(peer, encode(Goodbye{}));
  const bool again = table_.knows(peer);
  Welcome welcome = welcome_;
  welcome.session = next_session_;
  if (std::optional<std::string> reason = table_.hello(peer, hello, welcome.session, now)) {
    if (is_news(hello.worker + *reason)) log::warn("worker {} refused: {}", hello.worker, *reason);
    return say(peer, encode(Refusal{*reason}));
  }
  ++next_session_;
  for (const OfferedTeacher& teacher : hello.teachers) {
    if (!again) log::info("worker {} serves teacher '{}'", hello.worker, teacher.name);
  }
  say(peer, encode(welcome));
  beat(peer);
}

void LeaseServer::on(const std::string& peer, const Result& result, TimePoint now) {
  const std::string worker = table_.worker_name(peer);
  const LeaseTable::Judgement judgement = table_.result(peer, result, now);
  if (judgement.verdict != LeaseTable::Verdict::kInvalid) return;
  if (is_news(worker + judgement.reason)) log::warn("worker {} dismissed: {}", worker, judgement.reason);
  say(peer, encode(Refusal{judgement.reason}));
}

void LeaseServer::on(const std::string& peer, const Failure& failure) {
  LeaseTable::Setback setback = table_.failure(peer, failure);
  if (!setback.counts) return;
  if (setback.end) {
    if (!failure_) failure_ = std::move(setback.end);
    return;
  }
  log::warn("worker {} could not answer a lease, another one will try: {}", table_.worker_name(peer), failure.reason);
}

void LeaseServer::garbage(const std::string& peer, const std::string& why) {
  if (warned_.size() >= kMaxWarnedPeers || !warned_.insert(peer).second) return;
  log::warn("ignored a message that is not of a worker: {}", why);
  if (warned_.size() == kMaxWarnedPeers) log::warn("more such messages are not reported");
}

// True once for each, and for so many in all: who says it again and again may want to fill the disk.
bool LeaseServer::is_news(const std::string& what) {
  return told_.size() < kMaxTold && told_.insert(what).second;
}

void LeaseServer::beat(const std::string& peer) {
  say(peer, encode(Heartbeat{table_.session_of(peer), table_.leases_sent(peer), ranks_}));
}

void LeaseServer::tick(TimePoint now) {
  if (closing_) return;
  expire(now);
  for (LeaseTable::Grant& grant : table_.grant(now)) say(grant.peer, encode(grant.lease));
  if (!beat_now_ && (now - beat_).count() < options_.heartbeat_seconds) return;
  beat_ = now;
  beat_now_ = false;
  for (const std::string& peer : table_.peers()) beat(peer);
}

void LeaseServer::lost(const std::string& peer) {
  if (!table_.knows(peer)) return;
  const std::string worker = table_.worker_name(peer);
  const int leases = table_.remove(peer);
  if (!closing_) log::warn("worker {} is gone; {} of its leases go to others", worker, leases);
}

void LeaseServer::expire(TimePoint now) {
  for (const LeaseTable::Lost& lost : table_.expire(now)) {
    if (lost.dead) {
      log::warn("worker {} is silent, taken for dead; {} of its leases go to others", lost.worker, lost.leases);
    } else {
      log::warn("{} leases of worker {} are overdue and go to others", lost.leases, lost.worker);
    }
  }
}

void LeaseServer::announce(std::vector<std::string> ranks) {
  ranks_ = std::move(ranks);
  beat_now_ = true;
}

void LeaseServer::close() {
  closing_ = true;
  for (const std::string& peer : table_.peers()) say(peer, encode(Goodbye{}));
}

}  // namespace conclave
