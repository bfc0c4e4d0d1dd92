#include "teachers/lease_table.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "teachers/record_reader.h"

namespace conclave {
namespace {

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return "[" + text + "]";
}

std::string describe(const EngineOptions& engine) {
  return std::to_string(engine.threads) + (engine.threads == 1 ? " thread, " : " threads, ") +
         (engine.bf16 ? "bf16" : "float32") + (engine.channels_last ? ", channels-last" : ", channels-first");
}

}  // namespace

LeaseTable::LeaseTable(const LeaseOptions& options, std::vector<ExpectedTeacher> teachers)
    : options_(options), teachers_(std::move(teachers)), progress_(teachers_.size()), bytes_(teachers_.size()) {}

void LeaseTable::ask(const TargetRequest& request) {
  open_.push_back(request);
  if (open_.size() >= static_cast<std::size_t>(options_.lease_views)) flush();
}

void LeaseTable::flush() {
  if (open_.empty()) return;
  Batch& batch = batches_.emplace_back();
  batch.views.swap(open_);
  batch.slots.resize(teachers_.size());
}

bool LeaseTable::answered() const {
  if (batches_.empty()) return false;
  const std::vector<Slot>& slots = batches_.front().slots;
  return std::all_of(slots.begin(), slots.end(), [](const Slot& slot) { return slot.state == Slot::State::kDone; });
}

std::vector<SoftTargets> LeaseTable::take() {
  Batch& batch = batches_.front();
  std::vector<SoftTargets> targets;
  targets.reserve(batch.slots.size());
  for (Slot& slot : batch.slots) targets.push_back(std::move(slot.answers[taken_]));
  if (++taken_ == batch.views.size()) {
    batches_.pop_front();
    ++first_batch_;
    taken_ = 0;
  }
  return targets;
}

std::vector<LeaseTable::Waiting> LeaseTable::waiting(TimePoint since, TimePoint now) const {
  std::vector<Waiting> found;
  for (int t = 0; t < static_cast<int>(teachers_.size()); ++t) {
    const bool done =
        !batches_.empty() && batches_.front().slots[static_cast<std::size_t>(t)].state == Slot::State::kDone;
    if (done || empty()) continue;
    found.push_back({t, workers(t), (now - std::max(since, progress_[static_cast<std::size_t>(t)])).count()});
  }
  return found;
}

std::optional<std::string> LeaseTable::reject(const Hello& hello, int& teacher) const {
  const auto found = std::find_if(teachers_.begin(), teachers_.end(),
                                  [&](const ExpectedTeacher& expected) { return expected.name == hello.teacher; });
  if (found == teachers_.end()) {
    std::vector<std::string> names;
    for (const ExpectedTeacher& expected : teachers_) names.push_back(expected.name);
    return "this run has no teacher '" + hello.teacher + "'; it has " + join(names);
  }
  teacher = static_cast<int>(found - teachers_.begin());
  if (!found->classes.empty() && found->classes != hello.classes) {
    return "teacher '" + hello.teacher + "' should have the classes " + join(found->classes) +
           ", the worker's weights have " + join(hello.classes);
  }
  if (!found->hash.empty() && found->hash != hello.hash) {
    return "teacher '" + hello.teacher + "' has the weights " + found->hash.substr(0, 12) + "…, the worker has " +
           hello.hash.substr(0, 12) + "…: two workers of one teacher must use the same file";
  }
  const EngineOptions& engine = found->engine;
  if (engine.threads != hello.engine.threads || engine.bf16 != hello.engine.bf16 ||
      engine.channels_last != hello.engine.channels_last) {
    return "teacher '" + hello.teacher + "' computes with " + describe(engine) + ", the worker with " +
           describe(hello.engine) + ": its answers would differ";
  }
  return std::nullopt;
}

std::optional<std::string> LeaseTable::hello(const std::string& peer, const Hello& hello, TimePoint now) {
  int teacher = -1;
  if (std::optional<std::string> reason = reject(hello, teacher)) return reason;
  std::vector<std::string> replaced;
  for (const auto& [other, worker] : workers_) {
    if (other == peer || worker.hello.instance == hello.instance) replaced.push_back(other);
  }
  for (const std::string& other : replaced) remove(other, now);

  ExpectedTeacher& expected = teachers_[static_cast<std::size_t>(teacher)];
  if (expected.hash.empty()) expected.hash = hello.hash;
  if (expected.classes.empty()) expected.classes = hello.classes;
  workers_[peer] = Worker{hello, teacher, next_order_++, 0, 0, now};
  progress_[static_cast<std::size_t>(teacher)] = now;
  return std::nullopt;
}

void LeaseTable::heard(const std::string& peer, TimePoint now) {
  if (const auto found = workers_.find(peer); found != workers_.end()) found->second.heard = now;
}

void LeaseTable::credit(const std::string& peer, int leases) {
  const auto found = workers_.find(peer);
  if (found == workers_.end()) return;
  Worker& worker = found->second;
  worker.credit = std::clamp(worker.credit + leases, 0, worker.hello.capacity);
}

// A lease's number is batch * teachers + teacher.
const LeaseTable::Slot* LeaseTable::find(std::uint64_t lease, int teacher) const {
  const std::uint64_t count = teachers_.size();
  if (lease % count != static_cast<std::uint64_t>(teacher) || lease / count < first_batch_) return nullptr;
  const std::uint64_t index = lease / count - first_batch_;
  return index < batches_.size() ? &batches_[index].slots[static_cast<std::size_t>(teacher)] : nullptr;
}

LeaseTable::Slot* LeaseTable::find(std::uint64_t lease, int teacher) {
  return const_cast<Slot*>(std::as_const(*this).find(lease, teacher));
}

void LeaseTable::release(Slot& slot) {
  if (slot.state != Slot::State::kLeased) return;
  if (const auto holder = workers_.find(slot.issues.back().peer); holder != workers_.end()) --holder->second.held;
  slot.state = Slot::State::kWaiting;
}

std::optional<std::string> LeaseTable::read_answers(const Batch& batch, int teacher, const Result& result,
                                                    std::vector<SoftTargets>& answers) const {
  if (result.records.size() != batch.views.size()) {
    return "a result of " + std::to_string(result.records.size()) + " records for a lease of " +
           std::to_string(batch.views.size()) + " views";
  }
  const std::size_t channels = teachers_[static_cast<std::size_t>(teacher)].classes.size();
  for (const std::string& record : result.records) {
    SoftTargets targets;
    try {
      targets = read_record(record);
    } catch (const Error& error) {
      return std::string("a result that can't be read: ") + error.what();
    }
    if (targets.width != options_.grid_width || targets.height != options_.grid_height) {
      return "a record of " + std::to_string(targets.width) + "x" + std::to_string(targets.height) +
             " cells instead of " + std::to_string(options_.grid_width) + "x" + std::to_string(options_.grid_height);
    }
    if (targets.channels.size() != channels) {
      return "a record of " + std::to_string(targets.channels.size()) + " channels instead of " +
             std::to_string(channels);
    }
    answers.push_back(std::move(targets));
  }
  return std::nullopt;
}

LeaseTable::Judgement LeaseTable::result(const std::string& peer, const Result& result, TimePoint now) {
  const auto found = workers_.find(peer);
  if (found == workers_.end()) return {};
  const int teacher = found->second.teacher;
  Slot* slot = find(result.lease, teacher);
  const auto issued = [&](const Issue& issue) { return issue.token == result.token && issue.peer == peer; };
  if (!slot || slot->state == Slot::State::kDone || std::none_of(slot->issues.begin(), slot->issues.end(), issued)) {
    ++late_;
    return {};
  }
  std::vector<SoftTargets> answers;
  const Batch& batch = batches_[result.lease / teachers_.size() - first_batch_];
  if (std::optional<std::string> reason = read_answers(batch, teacher, result, answers)) {
    remove(peer, now);
    return {Verdict::kInvalid, std::move(*reason)};
  }
  release(*slot);
  slot->state = Slot::State::kDone;
  slot->answers = std::move(answers);
  slot->issues.clear();
  const auto t = static_cast<std::size_t>(teacher);
  for (const std::string& record : result.records) bytes_[t] += record.size();
  progress_[t] = now;
  return {Verdict::kTaken, {}};
}

bool LeaseTable::failure(const std::string& peer, const Failure& failure) const {
  const auto found = workers_.find(peer);
  if (found == workers_.end()) return false;
  const Slot* slot = find(failure.lease, found->second.teacher);
  return slot && slot->state != Slot::State::kDone &&
         std::any_of(slot->issues.begin(), slot->issues.end(),
                     [&](const Issue& issue) { return issue.token == failure.token && issue.peer == peer; });
}

int LeaseTable::remove(const std::string& peer, TimePoint now) {
  const auto found = workers_.find(peer);
  if (found == workers_.end()) return 0;
  const int teacher = found->second.teacher;
  int returned = 0;
  for (Batch& batch : batches_) {
    Slot& slot = batch.slots[static_cast<std::size_t>(teacher)];
    if (slot.state == Slot::State::kLeased && slot.issues.back().peer == peer) {
      release(slot);
      ++returned;
    }
    // Whoever comes back under this name is another worker.
    std::erase_if(slot.issues, [&](const Issue& issue) { return issue.peer == peer; });
  }
  workers_.erase(found);
  reissued_ += static_cast<std::uint64_t>(returned);
  progress_[static_cast<std::size_t>(teacher)] = now;
  return returned;
}

std::vector<LeaseTable::Lost> LeaseTable::expire(TimePoint now) {
  std::vector<Lost> lost;
  const Seconds silence(options_.heartbeat_seconds * options_.missed_heartbeats);
  for (const auto& [peer, worker] : workers_) {
    if (now - worker.heard > silence) lost.push_back({peer, worker.hello.worker, worker.teacher, 0, true});
  }
  for (Lost& dead : lost) dead.leases = remove(dead.peer, now);

  std::map<std::string, int> overdue;
  for (Batch& batch : batches_) {
    for (Slot& slot : batch.slots) {
      if (slot.state != Slot::State::kLeased || now <= slot.deadline) continue;
      ++overdue[slot.issues.back().peer];
      ++reissued_;
      release(slot);
    }
  }
  for (const auto& [peer, leases] : overdue) {
    const Worker& worker = workers_.at(peer);
    lost.push_back({peer, worker.hello.worker, worker.teacher, leases, false});
  }
  return lost;
}

std::vector<LeaseTable::Grant> LeaseTable::grant(TimePoint now) {
  std::vector<Grant> grants;
  for (std::size_t t = 0; t < teachers_.size(); ++t) {
    for (std::size_t b = 0; b < batches_.size(); ++b) {
      Slot& slot = batches_[b].slots[t];
      if (slot.state != Slot::State::kWaiting) continue;
      std::pair<const std::string, Worker>* best = nullptr;
      for (auto& entry : workers_) {
        const Worker& worker = entry.second;
        if (worker.teacher != static_cast<int>(t) || worker.credit == 0) continue;
        if (!best || std::pair(worker.held, worker.order) < std::pair(best->second.held, best->second.order))
          best = &entry;
      }
      if (!best) break;
      --best->second.credit;
      ++best->second.held;
      slot.state = Slot::State::kLeased;
      slot.deadline = now + Seconds(options_.lease_seconds);
      slot.issues.push_back({next_token_, best->first});
      grants.push_back({best->first, Lease{(first_batch_ + b) * teachers_.size() + t, next_token_, batches_[b].views}});
      ++next_token_;
    }
  }
  return grants;
}

std::vector<std::string> LeaseTable::peers() const {
  std::vector<std::string> names;
  for (const auto& [peer, worker] : workers_) names.push_back(peer);
  return names;
}

int LeaseTable::workers(int teacher) const {
  return static_cast<int>(std::count_if(workers_.begin(), workers_.end(),
                                        [&](const auto& entry) { return entry.second.teacher == teacher; }));
}

std::string LeaseTable::worker_name(const std::string& peer) const {
  const auto found = workers_.find(peer);
  return found == workers_.end() ? std::string() : found->second.hello.worker;
}

int LeaseTable::teacher_of(const std::string& peer) const {
  const auto found = workers_.find(peer);
  return found == workers_.end() ? -1 : found->second.teacher;
}

}  // namespace conclave
